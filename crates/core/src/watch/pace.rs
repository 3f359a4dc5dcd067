//! How often to look: as often as a small share of one processor allows while nothing happens,
//! and much more often for a while after something did. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// How often one kind of look is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tempo {
    /// The share of a processor that it may take while nothing happens, in millionths.
    pub share: u32,
    /// Never more often than this while nothing happens.
    pub least: Duration,
    /// Never less often than this, whatever a look costs.
    pub most: Duration,
    /// How often while something happened within [`LIVELY`].
    pub lively: Duration,
    /// How often while something happened within [`RECENT`].
    pub recent: Duration,
}

/// How long after a change the next is expected at once.
pub const LIVELY: Duration = Duration::from_millis(300);
/// How long after a change another is likely.
pub const RECENT: Duration = Duration::from_secs(3);

/// How many measurements are remembered.
const MEMORY: usize = 16;

/// The pace of one kind of look, from the processor time that the last ones took.
#[derive(Clone, Debug)]
pub struct Pace {
    tempo: Tempo,
    costs: VecDeque<Duration>,
}

impl Pace {
    /// A pace that knows no cost yet.
    pub const fn new(tempo: Tempo) -> Self {
        Self { tempo, costs: VecDeque::new() }
    }

    /// Notes the processor time that a look took, with waking up for it.
    pub fn took(&mut self, cost: Duration) {
        if self.costs.len() == MEMORY {
            self.costs.pop_front();
        }
        self.costs.push_back(cost);
    }

    /// How long to wait for the next look, that long after the last change.
    pub fn interval(&self, since_change: Option<Duration>) -> Duration {
        let idle = self.idle();
        match since_change {
            // Looking takes at most a quarter of the time, whatever happens.
            Some(since) if since < LIVELY => self.tempo.lively.max(self.cost() * 3).min(idle),
            Some(since) if since < RECENT => self.tempo.recent.max(self.cost() * 20).min(idle),
            _ => idle,
        }
    }

    fn cost(&self) -> Duration {
        let count = u32::try_from(self.costs.len()).unwrap_or(u32::MAX);
        self.costs.iter().sum::<Duration>().checked_div(count).unwrap_or_default()
    }

    fn idle(&self) -> Duration {
        let cost = self.cost().as_nanos();
        let interval = cost * 1_000_000 / u128::from(self.tempo.share.max(1));
        let interval = Duration::from_nanos(u64::try_from(interval).unwrap_or(u64::MAX));
        interval.clamp(self.tempo.least, self.tempo.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    const TEMPO: Tempo =
        Tempo { share: 2_500, least: ms(4), most: ms(1000), lively: us(250), recent: ms(2) };

    fn after(costs: &[Duration], since: Option<Duration>) -> Duration {
        let mut pace = Pace::new(TEMPO);
        costs.iter().for_each(|&cost| pace.took(cost));
        pace.interval(since)
    }

    #[test]
    fn the_pace_follows_cost_and_news() {
        for (costs, since, want) in [
            // 20 µs in 8 ms are 0.25 %.
            (&[us(20)][..], None, ms(8)),
            (&[us(1)], None, ms(4)),
            (&[us(100)], None, ms(40)),
            (&[ms(900)], None, ms(1000)),
            (&[us(12)], Some(ms(10)), us(250)),
            (&[us(12)], Some(ms(1000)), ms(2)),
            (&[us(20)], Some(ms(5000)), ms(8)),
            (&[ms(1)], Some(ms(10)), ms(3)),
            (&[us(10), us(30)], None, ms(8)),
            (&[], None, ms(4)),
        ] {
            assert_eq!(after(costs, since), want, "{costs:?} {since:?}");
        }
    }

    #[test]
    fn old_costs_are_forgotten() {
        let mut costs = vec![us(1)];
        costs.extend([us(100); MEMORY]);
        assert_eq!(after(&costs, None), ms(40));
    }
}
