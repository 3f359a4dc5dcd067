//! How many columns text takes on a terminal (UAX 11, UTS 51): wide characters, combining marks,
//! flags, emoji with a skin tone or a presentation selector. The characters that join emoji are
//! escaped before (they are invisible, and terminals disagree on what they join), so what is
//! measured here is what every terminal shows.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a cleaned text takes.
pub fn columns(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let chars: Vec<char> = text.chars().collect();
    advances(&chars).iter().sum()
}

/// How many columns each character takes, where what belongs to the character before it (an
/// accent, a skin tone, the second half of a flag) takes none: a text may be cut before every
/// character that takes some.
pub fn advances(chars: &[char]) -> Vec<usize> {
    let mut widths: Vec<usize> = chars.iter().map(|c| c.width().unwrap_or(0)).collect();
    let mut base = None;
    for at in 0..chars.len() {
        match base.filter(|_| joins(chars[at])).and_then(|base| joined(chars, base, at)) {
            Some((base_at, width)) => {
                widths[base_at] = width;
                widths[at] = 0;
                // A flag has two halves and no more.
                if is_flag_half(chars[at]) {
                    base = None;
                }
            }
            None if widths[at] > 0 => base = Some(at),
            None => {}
        }
    }
    widths
}

/// What the base and the character take together, where they are one sign.
fn joined(chars: &[char], base: usize, at: usize) -> Option<(usize, usize)> {
    let adjacent = at == base + 1;
    if is_flag_half(chars[at]) {
        return (adjacent && is_flag_half(chars[base])).then_some((base, 2));
    }
    let pair: String = [chars[base], chars[at]].iter().collect();
    let alone = chars[base].width().unwrap_or(0);
    let (together, own) = (pair.width(), chars[at].width().unwrap_or(0));
    // A skin tone after what has none is a sign of its own.
    (own == 0 || together < alone + own).then_some((base, together))
}

const fn joins(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}') || is_flag_half(c)
}

const fn is_flag_half(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signs_are_measured_whole() {
        for (text, want) in [
            ("", 0),
            ("node", 4),
            ("服务器", 6),
            ("ｆｕｌｌ", 8),
            ("ﾊﾝｶｸ", 4),
            ("é", 1),
            ("e\u{301}", 1),
            ("e\u{301}\u{323}x", 2),
            ("हिन्दी", columns("हिन्दी")),
            ("😀", 2),
            ("👍🏽", 2),
            ("👍🏽👍", 4),
            ("a🏽", 3),
            ("❤", 1),
            ("❤\u{fe0f}", 2),
            ("⚠\u{fe0f} x", 4),
            ("🇩🇪", 2),
            ("🇩🇪🇫🇷", 4),
            ("🇩🇪🇫", 3),
            ("한국", 4),
        ] {
            assert_eq!(columns(text), want, "{text}");
        }
    }

    #[test]
    fn what_belongs_together_is_not_cut() {
        let of = |text: &str| advances(&text.chars().collect::<Vec<_>>());
        assert_eq!(of("a👍🏽b"), [1, 2, 0, 1]);
        assert_eq!(of("🇩🇪🇫🇷"), [2, 0, 2, 0]);
        assert_eq!(of("e\u{301}x"), [1, 0, 1]);
        assert_eq!(of("❤\u{fe0f}x"), [2, 0, 1]);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(text in any::<String>()) {
            let chars: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
            let text: String = chars.iter().collect();
            prop_assert_eq!(columns(&text), advances(&chars).iter().sum::<usize>());
        }
    }
}
