//! What the command line asked for: one role, its operands, and the options all roles share.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

/// What a listening actor does when SIGTERM comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTerm {
    /// The kernel's default action: it dies.
    Default,
    /// SIGTERM is ignored.
    Ignore,
    /// The listeners close at once; the process and its connections live on for this long.
    Drain(Duration),
    /// The listeners close at once; the process ends when its last connection has gone, or after this.
    CloseThenDrain(Duration),
    /// It keeps listening for this long, then exits.
    ExitAfter(Duration),
}

/// The whole command line.
#[derive(Clone, Debug)]
pub struct Options {
    pub role: String,
    pub operands: Vec<OsString>,
    /// What follows `--`.
    pub command: Vec<OsString>,
    pub addr: IpAddr,
    pub port: u16,
    pub to: Option<SocketAddr>,
    pub v6only: bool,
    pub reuse_addr: bool,
    pub reuse_port: bool,
    pub backlog: i32,
    pub udp: bool,
    pub tcp: bool,
    pub uid: Option<u32>,
    pub threads: usize,
    pub memory_mb: usize,
    pub name: Option<OsString>,
    pub on_term: OnTerm,
    pub life: Option<Duration>,
    pub count: usize,
    pub delay: Duration,
    pub stay: bool,
    pub keep_parent: bool,
    pub accept: bool,
    pub orphan: bool,
}

impl Options {
    /// Reads the process's arguments. With `--argv0` it runs itself again under that `argv[0]`.
    pub fn from_args() -> io::Result<Self> {
        let args: Vec<OsString> = std::env::args_os().skip(1).collect();
        let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
        if let Some(at) = args[..end].iter().position(|arg| arg == "--argv0") {
            return Err(run_again_as(args, at));
        }
        Self::parse(args)
    }

    /// The address to bind or to connect to.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.addr, self.port)
    }

    /// The first operand as a number of things, or `default`.
    pub fn operand_count(&self, default: usize) -> io::Result<usize> {
        self.operands.first().map_or(Ok(default), |text| parsed("N", text))
    }

    fn new() -> Self {
        Self {
            role: String::new(),
            operands: Vec::new(),
            command: Vec::new(),
            addr: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            to: None,
            v6only: false,
            reuse_addr: false,
            reuse_port: false,
            backlog: 128,
            udp: false,
            tcp: false,
            uid: None,
            threads: 0,
            memory_mb: 0,
            name: None,
            on_term: OnTerm::Default,
            life: None,
            count: 1,
            delay: Duration::from_millis(100),
            stay: false,
            keep_parent: false,
            accept: false,
            orphan: false,
        }
    }

    fn parse(args: Vec<OsString>) -> io::Result<Self> {
        let mut options = Self::new();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                options.command = args.collect();
                break;
            }
            match arg.to_str().filter(|text| text.starts_with("--")) {
                Some(option) if options.set_flag(option) => {}
                Some(option) => {
                    let value =
                        args.next().ok_or_else(|| wrong(format!("{option} needs a value")))?;
                    options.set_value(option, value)?;
                }
                None if options.role.is_empty() => {
                    options.role = arg.to_string_lossy().into_owned();
                }
                None => options.operands.push(arg),
            }
        }
        Ok(options)
    }

    fn set_flag(&mut self, option: &str) -> bool {
        let flag = match option {
            "--v6only" => &mut self.v6only,
            "--reuse-addr" => &mut self.reuse_addr,
            "--reuse-port" => &mut self.reuse_port,
            "--udp" => &mut self.udp,
            "--tcp" => &mut self.tcp,
            "--stay" => &mut self.stay,
            "--keep-parent" => &mut self.keep_parent,
            "--accept" => &mut self.accept,
            "--orphan" => &mut self.orphan,
            _ => return false,
        };
        *flag = true;
        true
    }

    fn set_value(&mut self, option: &str, value: OsString) -> io::Result<()> {
        match option {
            "--addr" => self.addr = parsed(option, &value)?,
            "--port" => self.port = parsed(option, &value)?,
            "--to" => self.to = Some(parsed(option, &value)?),
            "--backlog" => self.backlog = parsed(option, &value)?,
            "--uid" => self.uid = Some(parsed(option, &value)?),
            "--threads" => self.threads = parsed(option, &value)?,
            "--memory" => self.memory_mb = parsed(option, &value)?,
            "--count" => self.count = parsed(option, &value)?,
            "--for" => self.life = Some(milliseconds(option, &value)?),
            "--delay" => self.delay = milliseconds(option, &value)?,
            "--term" => self.on_term = on_term(&value)?,
            "--name" => self.name = Some(value),
            _ => return Err(wrong(format!("no such option: {option}"))),
        }
        Ok(())
    }
}

/// An error of the command line.
pub fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.into())
}

fn run_again_as(mut args: Vec<OsString>, at: usize) -> io::Error {
    args.remove(at);
    if at >= args.len() {
        return wrong("--argv0 needs a value");
    }
    let argv0 = args.remove(at);
    match std::env::current_exe() {
        Ok(exe) => Command::new(exe).arg0(argv0).args(args).exec(),
        Err(error) => error,
    }
}

fn parsed<T: FromStr>(option: &str, value: &OsStr) -> io::Result<T> {
    let text = value.to_str().and_then(|text| text.parse().ok());
    text.ok_or_else(|| wrong(format!("{option} cannot be {value:?}")))
}

fn milliseconds(option: &str, value: &OsStr) -> io::Result<Duration> {
    parsed(option, value).map(Duration::from_millis)
}

fn on_term(value: &OsStr) -> io::Result<OnTerm> {
    let text = value.to_str().unwrap_or_default();
    let (word, time) = text.split_once(':').unwrap_or((text, "0"));
    let time = milliseconds("--term", OsStr::new(time))?;
    match word {
        "default" => Ok(OnTerm::Default),
        "ignore" => Ok(OnTerm::Ignore),
        "drain" => Ok(OnTerm::Drain(time)),
        "close-then-drain" => Ok(OnTerm::CloseThenDrain(time)),
        "exit-after" => Ok(OnTerm::ExitAfter(time)),
        _ => Err(wrong(format!("--term cannot be {value:?}"))),
    }
}
