//! `proc check`: whether a server could bind a port.

use proc_core::report::ErrorReport;

use super::Targets;
use crate::answer::{Answer, Telling};
use crate::core_api::{CheckOptions, Core};

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Exit code 0: a server can bind it. 1: it cannot.

Examples:
  proc check :3000                       TCP, every ordinary address
  proc check :3000 --reuse-addr          a server that sets SO_REUSEADDR, as most do
  proc check :8080 --address 127.0.0.1   one address
  proc check :3000 -q && npm start")]
pub struct Args {
    #[command(flatten)]
    targets: Targets,
    /// Try this address instead of the ordinary ones
    #[arg(long, value_name = "ADDR", value_parser = address)]
    address: Option<String>,
    /// Try as a server that sets SO_REUSEADDR
    #[arg(long)]
    reuse_addr: bool,
    /// Try UDP instead of TCP
    #[arg(long)]
    udp: bool,
}

/// The word of an address without its brackets, if it is one.
pub(super) fn address(word: &str) -> Result<String, String> {
    let bare = word.strip_prefix('[').and_then(|w| w.strip_suffix(']')).unwrap_or(word);
    let number = bare.split('%').next().unwrap_or(bare);
    if bare == "localhost" || bare == "*" || number.parse::<std::net::IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    Err(format!("`{word}` is not an address; write it like `127.0.0.1` or `::1`"))
}

/// Tries.
///
/// # Errors
/// As [`Core::check`].
pub fn run(args: &Args, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    let options = CheckOptions { address: args.address.clone(), udp: args.udp };
    let looked = core.check(&args.targets.targets, &options)?;
    Ok(Answer::looked("check", Telling::Check { reuse_addr: args.reuse_addr }, looked))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses() {
        for (word, want) in
            [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("fe80::1%eth0", "fe80::1%eth0")]
        {
            assert_eq!(address(word).as_deref(), Ok(want));
        }
        for word in ["", "300.1.1.1", "host", "127.0.0.1:80"] {
            assert!(address(word).is_err(), "{word}");
        }
    }
}
