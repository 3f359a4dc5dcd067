//! `proc ports`: every port that is listened on, and which of them to show.

use proc_core::addr::Exposure;
use proc_core::ports::PortSort;
use proc_core::report::{ErrorReport, PortsReport, SocketReport};
use proc_core::socket::Protocol;

use super::filters::{WhichArgs, limit};
use super::target_word;
use crate::answer::Answer;
use crate::columns::{Offer, Shape, TableArgs, offer_text};
use crate::core_api::{Core, LookOptions, PortsFilter};
use crate::globals::Globals;
use crate::render::port_columns;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc ports                  every port, who holds it and who can reach it
  proc ports --exposed        those that other machines can reach
  proc ports --mine           those of this work tree, terminal and agent
  proc ports --tcp :3000-4000
  proc ports node             those of the processes named node
  proc ports --in . --sort age    those of what runs here, the oldest first
  proc ports --columns port,name,directory
  proc ports --csv > ports.csv")]
pub struct Args {
    /// Only these ports or processes
    #[arg(value_name = "TARGET", value_parser = target_word)]
    targets: Vec<String>,
    /// Only those that other machines can reach
    #[arg(long)]
    exposed: bool,
    /// Only those that this machine alone can reach
    #[arg(long)]
    local: bool,
    /// Only those on addresses of a local network
    #[arg(long)]
    lan: bool,
    /// Only TCP
    #[arg(long)]
    tcp: bool,
    /// Only UDP
    #[arg(long)]
    udp: bool,
    /// Unix sockets too, or alone without --tcp and --udp
    #[arg(long)]
    unix: bool,
    /// Look into every network namespace, such as those of containers
    #[arg(long)]
    all_namespaces: bool,
    /// Only those of this work tree, terminal session and coding agent
    #[arg(long)]
    mine: bool,
    /// In the order of: port, pid, name, user, age
    #[arg(long, short, value_name = "KEY", value_parser = sort_key)]
    sort: Option<PortSort>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true, value_parser = limit)]
    limit: Option<usize>,
    /// Print PIDs alone, one a line
    #[arg(long, conflicts_with_all = ["json", "jsonl", "quiet", "columns", "csv"])]
    pids: bool,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    which: WhichArgs,
}

/// Lists.
///
/// # Errors
/// As [`Core::ports`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    let offers = port_columns();
    if args.table.wants_offer() {
        return Ok(Answer::Text(offer_text(&offers)));
    }
    let shape = args.shape(&offers)?;
    let brief = !(globals.json || globals.jsonl) && is_brief(&shape, &offers);
    let look = LookOptions {
        every_state: false,
        all_namespaces: args.all_namespaces,
        show_secrets: globals.show_secrets,
        ..LookOptions::default()
    };
    let filter = PortsFilter {
        unix: args.unix,
        mine: args.mine,
        brief,
        holder: args.which.filter(&[], globals)?,
        sort: args.sort.unwrap_or_default(),
        ..PortsFilter::default()
    };
    let report = core.ports(&args.targets, filter, &look)?;
    Ok(Answer::Listed { report: args.filter(report), shape })
}

/// Whether these columns tell of a holder only what it says of itself. CSV has all, where none are
/// chosen.
fn is_brief(shape: &Shape, offers: &[Offer]) -> bool {
    let told_by_others = |at: &usize| {
        let name = offers.get(*at).map(|offer| offer.name);
        matches!(name, Some("container" | "unit" | "project"))
    };
    match shape {
        Shape::Table(Some(columns)) | Shape::Csv(Some(columns)) => {
            !columns.iter().any(told_by_others)
        }
        Shape::Table(None) | Shape::Pids => true,
        Shape::Csv(None) => false,
    }
}

impl Args {
    fn shape(&self, offers: &[Offer]) -> Result<Shape, ErrorReport> {
        if self.pids { Ok(Shape::Pids) } else { self.table.shape("ports", offers) }
    }

    /// The report with only the sockets asked for, and only their holders.
    fn filter(&self, mut report: PortsReport) -> PortsReport {
        let wanted =
            |socket: &SocketReport| self.wants_protocol(socket) && self.wants_reach(socket);
        report.keep(wanted, self.limit);
        report
    }

    const fn wants_protocol(&self, socket: &SocketReport) -> bool {
        if !(self.tcp || self.udp || self.unix) {
            return !matches!(socket.protocol, Protocol::Unix);
        }
        match socket.protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp | Protocol::UdpLite => self.udp,
            Protocol::Unix => self.unix,
            Protocol::Raw => false,
        }
    }

    const fn wants_reach(&self, socket: &SocketReport) -> bool {
        if !(self.exposed || self.local || self.lan) {
            return true;
        }
        match socket.exposure {
            Some(Exposure::Loopback) => self.local,
            Some(Exposure::Lan) => self.exposed || self.lan,
            Some(Exposure::Any) => self.exposed,
            // A unix socket is reached on this machine alone.
            None => self.local && matches!(socket.protocol, Protocol::Unix),
        }
    }
}

fn sort_key(word: &str) -> Result<PortSort, String> {
    match word.to_ascii_lowercase().as_str() {
        "port" | "ports" => Ok(PortSort::Port),
        "pid" => Ok(PortSort::Pid),
        "name" => Ok(PortSort::Name),
        "user" => Ok(PortSort::User),
        "age" | "uptime" => Ok(PortSort::Age),
        _ => Err(format!(
            "`{word}` is nothing to sort ports by; there are port, pid, name, user and age"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn shown(args: &Args) -> Vec<String> {
        args.filter(fixture::ports()).sockets.into_iter().map(|socket| socket.local).collect()
    }

    #[test]
    fn what_no_column_shows_is_not_asked_for() {
        let offers = port_columns();
        let brief = |shape: Shape| is_brief(&shape, &offers);
        let place = |name| offers.iter().position(|offer| offer.name == name).unwrap();
        assert!(brief(Shape::Table(None)) && brief(Shape::Pids) && !brief(Shape::Csv(None)));
        for name in ["container", "unit", "project"] {
            assert!(!brief(Shape::Table(Some(vec![0, place(name)]))), "{name}");
        }
        assert!(brief(Shape::Csv(Some(vec![place("exe"), place("ppid")]))));
    }

    #[test]
    fn filters_by_reach_and_protocol() {
        let all = ["127.0.0.1:3000", "192.168.1.5:3000", "0.0.0.0:80", "[::]:53", "/run/app.sock"];
        assert_eq!(shown(&Args::default()), all[..4]);
        assert_eq!(shown(&Args { exposed: true, ..Args::default() }), all[1..4]);
        assert_eq!(shown(&Args { lan: true, ..Args::default() }), all[1..2]);
        assert_eq!(shown(&Args { local: true, ..Args::default() }), all[..1]);
        assert_eq!(shown(&Args { udp: true, ..Args::default() }), all[3..4]);
        assert_eq!(shown(&Args { tcp: true, ..Args::default() }), all[..3]);
        assert_eq!(shown(&Args { unix: true, ..Args::default() }), all[4..]);
        let nothing = Args { udp: true, local: true, ..Args::default() };
        let report = nothing.filter(fixture::ports());
        assert!(!report.ok && report.processes.is_empty());
        let report = Args { limit: Some(1), tcp: true, ..Args::default() }.filter(fixture::ports());
        assert_eq!((report.sockets.len(), report.matched), (1, 3));
        assert_eq!(report.notes, ["2 more sockets are not shown"]);
    }
}
