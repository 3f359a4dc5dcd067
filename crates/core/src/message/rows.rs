//! What programs print when a bind fails, a row each: `data/error-strings.csv` in the form that is
//! compiled in. A test holds the two together; how a row is read is not decided here.

use crate::addr::Transport;

use super::Class;

/// One message.
#[derive(Debug)]
pub(super) struct Row {
    /// The program, as in the table.
    pub source: &'static str,
    /// The expression, linear in time (`regex-lite`).
    pub pattern: &'static str,
    /// Text without which the expression cannot match: without spaces, ASCII in lower case. One of
    /// them is there wherever the row matches.
    pub keys: &'static [&'static str],
    /// What the message means, where no number or word in it says otherwise.
    pub class: Class,
    /// The transport it is about, where the message does not say.
    pub transport: Option<Transport>,
    /// Where the port is to be found, for a message without one.
    pub hint: Option<&'static str>,
    /// What must stand around it.
    pub needs: Needs,
    /// Whether it was seen here and is not in the table.
    pub ours: bool,
}

/// What a row needs besides its own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// The port is in an earlier line, ChromeDriver's banner.
    Banner,
    /// The port that was taken instead is in an earlier line of the same box.
    LocalAbove,
    /// The port is in the source line that is quoted below.
    SourceLine,
    /// The port is in the HINT below.
    PostmasterHint,
    /// An ordinary line, unless the next one says that the address is in use.
    InUseNext,
    /// A call that binds stands above it; the words alone say too little.
    BindFrame,
    /// It is an object printed over several lines.
    Object,
    /// The line also says that this is about a bind.
    BindWord,
    /// The address is `null`.
    Null,
    /// The address is not `null`.
    NotNull,
    /// The address is one that a server here could have.
    OwnAddress,
}

const TCP: Option<Transport> = Some(Transport::Tcp);
const UDP: Option<Transport> = Some(Transport::Udp);

const ROW: Row = Row {
    source: "",
    pattern: "",
    keys: &[],
    class: Class::InUse,
    transport: None,
    hint: None,
    needs: Needs::Nothing,
    ours: false,
};

/// Every row. Those of one expression in the table are one row here, named after the first.
pub(super) const ROWS: &[Row] = &[
    Row {
        source: "Node.js net/http/https >=12 (also Express, Nest, Next -p, webpack-dev-server, http-server, ws, Bun node:net, Deno node:net)",
        pattern: r"listen EADDRINUSE: address already in use (?P<addr>[\w.:%*\[\]-]*):(?P<port>\d{1,5})\b",
        keys: &["listeneaddrinuse:addressalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js net <12",
        pattern: r"EADDRINUSE:? (?P<addr>[\w.:%*\[\]-]*):(?P<port>\d{1,5})\b",
        keys: &["eaddrinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js 0.x-6",
        pattern: r"\blisten EADDRINUSE\s*$",
        keys: &["listeneaddrinuse"],
        class: Class::InUse,
        transport: TCP,
        hint: Some(
            "the port is what the program was given: its arguments, the PORT variable, or the line that calls listen",
        ),
        ..ROW
    },
    Row {
        source: "Node.js unix socket",
        pattern: r"EADDRINUSE: address already in use (?P<path>/\S+)",
        keys: &["eaddrinuse:addressalreadyinuse"],
        class: Class::SocketFile,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js named pipe",
        pattern: r"EADDRINUSE: address already in use (?P<path>\\\\[.?]\\pipe\\\S+)",
        keys: &["eaddrinuse:addressalreadyinuse"],
        class: Class::SocketFile,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js cluster worker, pm2 cluster mode",
        pattern: r"bind EADDRINUSE (?P<addr>null|[\w.:\[\]-]*):(?P<port>\d{1,5})\b",
        keys: &["bindeaddrinuse"],
        class: Class::InUse,
        transport: TCP,
        needs: Needs::Null,
        ..ROW
    },
    Row {
        source: "Node.js dgram (UDP)",
        pattern: r"bind EADDRINUSE (?P<addr>[\w.:\[\]-]+):(?P<port>\d{1,5})\b",
        keys: &["bindeaddrinuse"],
        class: Class::InUse,
        transport: UDP,
        needs: Needs::NotNull,
        ..ROW
    },
    Row {
        source: "Node.js EACCES (privileged port, or Windows excluded range)",
        pattern: r"listen EACCES: permission denied (?P<addr>[\w.:%*\[\]-]*):(?P<port>\d{1,5})\b",
        keys: &["listeneacces:permissiondenied"],
        class: Class::Denied,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js EPERM (sandboxed process)",
        pattern: r"listen EPERM: operation not permitted (?P<addr>[\w.:%*\[\]-]*):(?P<port>\d{1,5})\b",
        keys: &["listeneperm:operationnotpermitted"],
        class: Class::Denied,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js EPERM without port",
        pattern: r"listen EPERM: operation not permitted (?P<addr>[\w.:]+)\s*$",
        keys: &["listeneperm:operationnotpermitted"],
        class: Class::Denied,
        transport: TCP,
        hint: Some("it asked for any free port inside a sandbox: no port is in the way"),
        ..ROW
    },
    Row {
        source: "Node.js EADDRNOTAVAIL",
        pattern: r"listen EADDRNOTAVAIL: address not available (?P<addr>[\w.:%*\[\]-]*):(?P<port>\d{1,5})\b",
        keys: &["listeneaddrnotavail:addressnotavailable"],
        class: Class::NotLocal,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js double listen on one server object",
        pattern: "ERR_SERVER_ALREADY_LISTEN|Listen method has been called more than once without closing",
        keys: &["err_server_already_listen", "listenmethodhasbeencalledmorethanoncewithoutclosing"],
        class: Class::SelfInflicted,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js connect() exhaustion",
        pattern: r"connect EADDRINUSE (?P<addr>[\w.:\[\]-]+):(?P<port>\d{1,5})\b",
        keys: &["connecteaddrinuse"],
        class: Class::Exhausted,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js inspector",
        pattern: r"Starting inspector on (?P<addr>[^\s:]+|\[[^\]]+\]):(?P<port>\d{1,5}) failed: address already in use",
        keys: &["failed:addressalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Node.js printed error object",
        pattern: r"(?s)code: '(?P<code>E[A-Z]+)'.*?address: '(?P<addr>[^']*)',\s*port: (?P<port>\d{1,5})\b",
        keys: &["code:'eaddr", "code:'eacces", "code:'eperm"],
        class: Class::InUse,
        transport: TCP,
        needs: Needs::Object,
        ..ROW
    },
    Row {
        source: "Deno",
        pattern: r"AddrInUse: .*?\(os error (?P<errno>98|48|10048)\)",
        keys: &["addrinuse:"],
        class: Class::InUse,
        transport: TCP,
        hint: Some(
            "the quoted source line below the message has the port, as in `Deno.serve({ port: 8000 })`; the default is 8000",
        ),
        needs: Needs::SourceLine,
        ..ROW
    },
    Row {
        source: "Deno inspector",
        pattern: r#"Failed to start inspector server at "(?P<addr>[^"]*):(?P<port>\d{1,5})""#,
        keys: &[r#"failedtostartinspectorserverat""#],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Bun.serve and Bun node:http",
        pattern: r"Failed to start server\. Is port (?P<port>\d{1,5}) in use\?",
        keys: &["failedtostartserver.isport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Bun.serve older",
        pattern: r"Failed to start server\. Is port in use\?",
        keys: &["failedtostartserver.isportinuse?"],
        class: Class::InUse,
        transport: TCP,
        hint: Some("the port is the `port` given to Bun.serve, else BUN_PORT, PORT, or 3000"),
        ..ROW
    },
    Row {
        source: "Next.js >=15",
        pattern: r"Port (?P<port>\d{1,5}) is in use by (?:process (?P<pid>\d+)|an unknown process), using available port (?P<newport>\d{1,5}) instead",
        keys: &[",usingavailableport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Next.js 13.5-14",
        pattern: r"Port (?P<port>\d{1,5}) is in use, trying (?P<newport>\d{1,5}) instead",
        keys: &["isinuse,trying"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Next.js >=16 dev lock",
        pattern: r"Unable to acquire lock at (?P<path>.+?), is another instance of next dev running\?",
        keys: &[",isanotherinstanceofnextdevrunning?"],
        class: Class::AlreadyRunning,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Nuxt CLI dev lock",
        pattern: "Another Nuxt dev is already running",
        keys: &["anothernuxtdevisalreadyrunning"],
        class: Class::AlreadyRunning,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Nuxt / listhen / get-port-please",
        pattern: r#"Unable to find an available port \(tried (?P<port>\d{1,5})(?:-\d+)?(?: on (?:any host|host \"(?P<addr>[^\"]*)\"))?\)(?:\. Using alternative port (?P<newport>\d{1,5}))?"#,
        keys: &["unabletofindanavailableport(tried"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Vite (also Astro, SvelteKit, Remix, Nuxt-Vite)",
        pattern: r"[Pp]ort (?P<port>\d{1,5}) is in use, trying another one",
        keys: &["isinuse,tryinganotherone"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Vite strictPort / vite preview",
        pattern: r"Port (?P<port>\d{1,5}) is already in use",
        keys: &["isalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Vite HMR websocket",
        pattern: r"WebSocket server error: Port (?:(?P<port>\d{1,5}) )?is already in use",
        keys: &["websocketservererror:port"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Create React App (react-dev-utils)",
        pattern: r"Something is already running (?:on|at) port (?P<port>\d{1,5})\b",
        keys: &["somethingisalreadyrunning"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Angular CLI",
        pattern: r"Port (?P<port>\d{1,5}) is already in use\. Use '--port'",
        keys: &["isalreadyinuse.use'--port'"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Storybook",
        pattern: r"Port (?P<port>\d{1,5}) is not available(?:\. Would you like to run Storybook on port (?P<newport>\d{1,5}))?",
        keys: &["isnotavailable"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Parcel",
        pattern: r#"Port "(?P<port>\d{1,5})" could not be used"#,
        keys: &[r#""couldnotbeused"#],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "live-server",
        pattern: r"https?://(?P<addr>[^\s:/]+|\[[^\]]+\]):(?P<port>\d{1,5}) is already in use",
        keys: &["isalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "wrangler / workerd",
        pattern: r"::bind\(sockfd.*Address already in use; toString\(\) = (?P<addr>.+):(?P<port>\d{1,5})\b",
        keys: &["addressalreadyinuse;tostring()="],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "React Native (Xcode build phase)",
        pattern: r"Port (?P<port>\d{1,5}) already in use, packager is either not running",
        keys: &["alreadyinuse,packageriseithernotrunning"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Expo CLI",
        pattern: r"Port (?P<port>\d{1,5}) is (?:being used by another process|running (?P<app>.+?) in another window)",
        keys: &["beingusedbyanotherprocess", "inanotherwindow"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Playwright webServer",
        pattern: r"https?://(?P<addr>[^\s:/]+|\[[^\]]+\]):(?P<port>\d{1,5})(?P<path>/\S*)? is already used, make sure that nothing is running",
        keys: &["isalreadyused,makesurethatnothingisrunning"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Firebase emulators",
        pattern: r"(?P<tool>\w+): Port (?P<port>\d{1,5}) is not open on (?P<host>\S+) \((?P<addr>[^)]*)\), could not start",
        keys: &["),couldnotstart"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "ChromeDriver",
        pattern: r"\[SEVERE\]: bind\(\) failed: Address (?:already )?in use \((?P<errno>\d+)\)",
        keys: &["[severe]:bind()failed:address"],
        class: Class::InUse,
        transport: TCP,
        hint: Some("an earlier line has it: `Starting ChromeDriver … on port 9515`"),
        needs: Needs::Banner,
        ..ROW
    },
    Row {
        source: "ChromeDriver banner",
        pattern: r"IPv[46] port not available\. Exiting",
        keys: &["portnotavailable.exiting"],
        class: Class::InUse,
        transport: TCP,
        hint: Some("an earlier line has it: `Starting ChromeDriver … on port 9515`"),
        needs: Needs::Banner,
        ..ROW
    },
    Row {
        source: "Python socket, Linux",
        pattern: r"\[Errno (?P<errno>98|48|10048)\] Address already in use",
        keys: &["]addressalreadyinuse"],
        class: Class::InUse,
        transport: None,
        hint: Some(
            "the traceback shows the call that binds; the port is its argument or the program's option",
        ),
        ..ROW
    },
    Row {
        source: "Python socket, Windows in use",
        pattern: r"\[WinError (?P<winerr>10048|10013)\]",
        keys: &["[winerror10048]", "[winerror10013]"],
        class: Class::InUse,
        transport: None,
        hint: Some(
            "the traceback shows the call that binds; the port is its argument or the program's option",
        ),
        ..ROW
    },
    Row {
        source: "Python socket, privileged",
        pattern: r"\[Errno 13\] Permission denied",
        keys: &["[errno13]permissiondenied"],
        class: Class::Denied,
        transport: None,
        hint: Some(
            "the traceback shows the call that binds; the port is its argument or the program's option",
        ),
        needs: Needs::BindFrame,
        ..ROW
    },
    Row {
        source: "Python socket, address not local",
        pattern: r"\[Errno (?P<errno>99|49|10049)\] (?:Cannot|Can't) assign requested address",
        keys: &["assignrequestedaddress"],
        class: Class::NotLocal,
        transport: None,
        ..ROW
    },
    Row {
        source: "asyncio / uvicorn / FastAPI",
        pattern: r"\[Errno (?P<errno>\d+)\] error while attempting to bind on address \('(?P<addr>[^']*)', (?P<port>\d{1,5})(?:, \d+, \d+)?\)",
        keys: &["]errorwhileattemptingtobindonaddress('"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "uvicorn --reload / --workers",
        pattern: r"ERROR:\s+\[Errno (?P<errno>98|48)\] Address already in use",
        keys: &["]addressalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        hint: Some(
            "uvicorn's own default is 127.0.0.1:8000, unless --host, --port or UVICORN_PORT say otherwise",
        ),
        ..ROW
    },
    Row {
        source: "Flask / Werkzeug >=2",
        pattern: r"Port (?P<port>\d{1,5}) is in use by another program",
        keys: &["isinusebyanotherprogram"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Flask AirPlay hint",
        pattern: "try disabling the 'AirPlay Receiver' service",
        keys: &["trydisablingthe'airplayreceiver'service"],
        class: Class::InUse,
        transport: TCP,
        hint: Some("on macOS this is port 5000, and AirPlay Receiver is what has it"),
        ..ROW
    },
    Row {
        source: "Django runserver",
        pattern: r"Error: That port is already in use\.",
        keys: &["error:thatportisalreadyinuse."],
        class: Class::InUse,
        transport: TCP,
        hint: Some("runserver's own default is 8000, unless its argument says otherwise"),
        ..ROW
    },
    Row {
        source: "Django runserver denied",
        pattern: "You don't have permission to access that port",
        keys: &["youdon'thavepermissiontoaccessthatport"],
        class: Class::Denied,
        transport: TCP,
        hint: Some("runserver's own default is 8000, unless its argument says otherwise"),
        ..ROW
    },
    Row {
        source: "gunicorn",
        pattern: r"Connection in use: \('(?P<addr>[^']*)', (?P<port>\d{1,5})\)",
        keys: &["connectioninuse:('"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "gunicorn last line",
        pattern: r"Can't connect to \('(?P<addr>[^']*)', (?P<port>\d{1,5})\)",
        keys: &["can'tconnectto('"],
        class: Class::InUse,
        transport: TCP,
        needs: Needs::OwnAddress,
        ..ROW
    },
    Row {
        source: "gunicorn >=23",
        pattern: r"connection to \('(?P<addr>[^']*)', (?P<port>\d{1,5})\) failed: \[Errno (?P<errno>\d+)\]",
        keys: &["connectionto('"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Twisted / daphne / autobahn",
        pattern: r"Couldn't listen on (?P<addr>\S+):(?P<port>\d{1,5}): \[(?:Errno|WinError) (?P<errno>\d+)\]",
        keys: &["couldn'tlistenon"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "uWSGI",
        pattern: r"probably another instance of uWSGI is running on the same address \((?P<addr>[^)]*):(?P<port>\d{1,5})\)",
        keys: &["probablyanotherinstanceofuwsgiisrunningonthesameaddress("],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Jupyter",
        pattern: r"The port (?P<port>\d{1,5}) is already in use",
        keys: &["isalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Jupyter port_retries=0",
        pattern: r"could not be started because port (?P<port>\d{1,5}) is not available",
        keys: &["couldnotbestartedbecauseport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Streamlit",
        pattern: r"Port (?P<port>\d{1,5}) is not available",
        keys: &["isnotavailable"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Gradio / Stable Diffusion web UIs",
        pattern: r"Cannot find empty port in range: (?P<port>\d{1,5})-(?P<port_to>\d{1,5})",
        keys: &["cannotfindemptyportinrange:"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "TensorBoard",
        pattern: r"TensorBoard could not bind to port (?P<port>\d{1,5}), it was already in use",
        keys: &["tensorboardcouldnotbindtoport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Dask",
        pattern: r"UserWarning: Port (?P<port>\d{1,5}) is already in use",
        keys: &["userwarning:port"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "PyTorch c10d / torchrun <2.3",
        pattern: r"server socket has failed to (?:bind to|listen on) (?P<addr>\[[^\]]*\]|[\w.-]+):(?P<port>\d{1,5}) \((?:errno|system error): (?P<errno>\d+)",
        keys: &["serversockethasfailedto"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "PyTorch c10d newer",
        pattern: r"server socket has failed to listen on any local network address\. port: (?P<port>\d{1,5}), .*?name: (?P<code>E[A-Z]+)",
        keys: &["serversockethasfailedtolistenonanylocalnetworkaddress.port:"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "supervisord",
        pattern: "Another program is already listening on a port that one of our HTTP servers",
        keys: &["anotherprogramisalreadylisteningonaportthatoneofourhttpservers"],
        class: Class::InUse,
        transport: None,
        hint: Some(
            "its configuration has it: `port` under [inet_http_server], or `file` under [unix_http_server]; mostly supervisord itself runs already",
        ),
        ..ROW
    },
    Row {
        source: "Ruby TCPServer / Puma",
        pattern: r#"Address already in use - bind\(2\) for "(?P<addr>[^"]*)" port (?P<port>\d{1,5})"#,
        keys: &[r#"addressalreadyinuse-bind(2)for""#],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Ruby WEBrick / Jekyll",
        pattern: r#"Address already in use - bind\(2\) for (?P<addr>\[[^\]]*\]|[^\s\":]+):(?P<port>\d{1,5})"#,
        keys: &["addressalreadyinuse-bind(2)for"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Ruby, Windows",
        pattern: r#"- bind\(2\) for "(?P<addr>[^"]*)" port (?P<port>\d{1,5}) \(Errno::(?P<code>E[A-Z]+)\)"#,
        keys: &[r#"-bind(2)for""#],
        class: Class::Unsaid,
        transport: None,
        ..ROW
    },
    Row {
        source: "Rails <7.1",
        pattern: r"A server is already running\. Check (?P<path>.+?\.pid)\.?\s*$",
        keys: &["aserverisalreadyrunning.check"],
        class: Class::AlreadyRunning,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Rails >=7.1",
        pattern: r"A server is already running \(pid: (?P<pid>\d+), file: (?P<path>[^)]+)\)",
        keys: &["aserverisalreadyrunning(pid:"],
        class: Class::AlreadyRunning,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "PHP built-in server / artisan serve / symfony",
        pattern: r"Failed to listen on (?P<addr>\S+):(?P<port>\d{1,5}) \(reason: (?P<reason>[^)]*)\)",
        keys: &["failedtolistenon"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "PHP-FPM",
        pattern: r"unable to bind listening socket for address '(?P<addr>[^']*):(?P<port>\d{1,5})': .*\((?P<errno>\d+)\)",
        keys: &["unabletobindlisteningsocketforaddress'"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "PHP sockets extension",
        pattern: r"socket_bind\(\): unable to bind address \[(?P<errno>\d+)\]",
        keys: &["socket_bind():unabletobindaddress["],
        class: Class::InUse,
        transport: None,
        hint: Some("the port is the third argument of socket_bind"),
        ..ROW
    },
    Row {
        source: "Perl",
        pattern: r"Address already in use at (?P<file>\S+) line (?P<line>\d+)",
        keys: &["addressalreadyinuseat"],
        class: Class::InUse,
        transport: None,
        hint: Some("the port is the LocalPort, or the argument of bind, at the line named"),
        ..ROW
    },
    Row {
        source: "Elixir Phoenix with Bandit",
        pattern: r"failed, port (?P<port>\d{1,5}) already in use",
        keys: &["alreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Erlang/Elixir Ranch (Cowboy)",
        pattern: r"Failed to start Ranch listener .*?\bport[:,] ?(?P<port>\d{1,5}).* for reason :?(?P<code>eaddrinuse|eacces)",
        keys: &["failedtostartranchlistener"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Erlang generic",
        pattern: r"\b(?P<code>eaddrinuse|eaddrnotavail)\b",
        keys: &["eaddrinuse", "eaddrnotavail"],
        class: Class::InUse,
        transport: None,
        hint: Some("the listener's configuration has the port"),
        ..ROW
    },
    Row {
        source: "Go net.Listen (Caddy, Traefik, Prometheus, Ollama, Hugo, k3s, kubectl proxy, ...)",
        pattern: r"listen (?P<proto>tcp|udp)[46]? (?P<addr>[^\s]*):(?P<port>\d{1,5}): bind: address already in use",
        keys: &[":bind:addressalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Go, Windows in use",
        pattern: r"listen (?P<proto>tcp|udp)[46]? (?P<addr>[^\s]*):(?P<port>\d{1,5}): bind: (?P<msg>.+)",
        keys: &[":bind:"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Go, address not local",
        pattern: r"listen (?:tcp|udp)[46]? (?P<addr>[^\s]*):(?P<port>\d{1,5}): bind: (?:cannot|can't) assign requested address",
        keys: &["assignrequestedaddress"],
        class: Class::NotLocal,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Go, privileged",
        pattern: r"listen (?:tcp|udp)[46]? (?P<addr>[^\s]*):(?P<port>\d{1,5}): bind: permission denied",
        keys: &[":bind:permissiondenied"],
        class: Class::Denied,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Go unix socket",
        pattern: r"listen unix (?P<path>\S+): bind: address already in use",
        keys: &[":bind:addressalreadyinuse"],
        class: Class::SocketFile,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Hugo",
        pattern: r"port (?P<port>\d{1,5}) already in use, attempting to use an available port",
        keys: &["alreadyinuse,attemptingtouseanavailableport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Rust std::io::Error Display",
        pattern: r"\(os error (?P<errno>98|48|10048)\)",
        keys: &["(oserror98)", "(oserror48)", "(oserror10048)"],
        class: Class::InUse,
        transport: None,
        hint: Some(
            "the port is what the program was given: its arguments, its configuration, or the address it binds",
        ),
        ..ROW
    },
    Row {
        source: "Rust io::Error Debug / unwrap panic",
        pattern: r"Os \{ code: (?P<errno>\d+), kind: (?P<kind>AddrInUse|AddrNotAvailable|PermissionDenied), message:",
        keys: &["addrinuse", "addrnotavailable", "permissiondenied"],
        class: Class::InUse,
        transport: None,
        needs: Needs::BindWord,
        ..ROW
    },
    Row {
        source: "Rust, musl build",
        pattern: r"Address in use \(os error (?P<errno>98)\)",
        keys: &["addressinuse(oserror"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Java ServerSocket / NIO",
        pattern: r"java\.net\.BindException: Address already in use(?: \(Bind failed\)|: (?P<fn>bind|JVM_Bind))?",
        keys: &["java.net.bindexception:addressalreadyinuse"],
        class: Class::InUse,
        transport: None,
        hint: Some(
            "the stack trace names the class that binds; the port is in that program's configuration, such as server.port",
        ),
        ..ROW
    },
    Row {
        source: "Java cannot assign",
        pattern: r"java\.net\.BindException: (?:Cannot|Can't) assign requested address(?:: (?P<fn>bind|JVM_Bind))?",
        keys: &["java.net.bindexception:can"],
        class: Class::NotLocal,
        transport: None,
        hint: Some(
            "the stack trace names the class that binds; the address is in that program's configuration, such as server.address",
        ),
        ..ROW
    },
    Row {
        source: "Spring Boot >=2",
        pattern: r"(?:Web server|Embedded servlet container) failed to start\. Port (?P<port>\d{1,5}) was already in use",
        keys: &["failedtostart.port"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Spring Boot 1.4-2.0, Tomcat",
        pattern: r"Tomcat connector configured to listen on port (?P<port>\d{1,5}) failed to start",
        keys: &["tomcatconnectorconfiguredtolistenonport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Tomcat",
        pattern: r#"Failed to initialize component \[Connector\[[^\]]*?[-.](?P<port>\d{1,5})["*]?\]\]"#,
        keys: &["failedtoinitializecomponent[connector["],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Tomcat shutdown port",
        pattern: r"Failed to create server shutdown socket on address \[(?P<addr>[^\]]*)\] and port \[(?P<port>\d{1,5})\]",
        keys: &["failedtocreateservershutdownsocketonaddress["],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Jetty",
        pattern: r"Failed to bind to (?P<host>[\w.-]*)/(?P<addr>[\w.:\[\]%-]+):(?P<port>\d{1,5})\b",
        keys: &["failedtobindto"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Quarkus",
        pattern: r"Port (?P<port>\d{1,5}) seems to be in use by another process",
        keys: &["seemstobeinusebyanotherprocess"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Micronaut",
        pattern: r"Unable to start Micronaut server on (?:port: )?(?:(?P<addr>[^\s:]+):)?(?P<port>\d{1,5})\b",
        keys: &["unabletostartmicronautserveron"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "JVM debug agent (JDWP)",
        pattern: "ERROR: transport error 202: bind failed: (?P<msg>.+)",
        keys: &["error:transporterror202:bindfailed:"],
        class: Class::InUse,
        transport: TCP,
        hint: Some(
            "the JVM's options have it, as in `-agentlib:jdwp=…address=*:5005`, or JAVA_TOOL_OPTIONS",
        ),
        ..ROW
    },
    Row {
        source: "RMI / JMX",
        pattern: r"ExportException: Port already in use: (?P<port>\d{1,5})",
        keys: &["exportexception:portalreadyinuse:"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Kafka",
        pattern: r"Socket server failed to bind to (?P<addr>[^\s:]+|\[[^\]]*\]):(?P<port>\d{1,5}): (?P<msg>[^.]+)",
        keys: &["socketserverfailedtobindto"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Spark UI",
        pattern: r"Service '(?P<svc>[^']+)' could not bind on port (?P<port>\d{1,5})\. Attempting port (?P<newport>\d{1,5})",
        keys: &["'couldnotbindonport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Minecraft server",
        pattern: r"\*\*\*\* FAILED TO BIND TO PORT!",
        keys: &["****failedtobindtoport!"],
        class: Class::Unsaid,
        transport: TCP,
        hint: Some(
            "server-port in server.properties has it; the default is 25565; server-ip must be an address of this machine",
        ),
        ..ROW
    },
    Row {
        source: "ASP.NET Core Kestrel",
        pattern: r"Failed to bind to address (?P<scheme>https?)://(?P<addr>[^\s/]+):(?P<port>\d{1,5})(?:: (?P<msg>address already in use))?",
        keys: &["failedtobindtoaddress"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Kestrel localhost",
        pattern: r"Failed to bind to address (?P<scheme>https?)://(?P<addr>[^\s/]+):(?P<port>\d{1,5}) on the (?P<fam>IPv[46]) loopback interface",
        keys: &["failedtobindtoaddress"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Kestrel unix socket",
        pattern: r"Failed to bind to address https?://unix:(?P<path>[^\s:]+)",
        keys: &["failedtobindtoaddresshttp"],
        class: Class::SocketFile,
        transport: TCP,
        ..ROW
    },
    Row {
        source: ".NET SocketException",
        pattern: r"SocketException \((?P<errno>98|48|10048|10013|13|99|49|10049)\)",
        keys: &["socketexception("],
        class: Class::InUse,
        transport: None,
        hint: Some("the port is in ASPNETCORE_URLS, launchSettings.json, or the call that binds"),
        ..ROW
    },
    Row {
        source: "Kestrel on libuv (old)",
        pattern: "Error (?P<uverr>-4091 EADDRINUSE|-4092 EACCES|-98 EADDRINUSE|-48 EADDRINUSE)",
        keys: &["4091eaddrinuse", "4092eacces", "98eaddrinuse", "48eaddrinuse"],
        class: Class::InUse,
        transport: None,
        hint: Some("the port is in ASPNETCORE_URLS, launchSettings.json, or the call that binds"),
        ..ROW
    },
    Row {
        source: ".NET HttpListener / WCF",
        pattern: r"Failed to listen on prefix '(?P<scheme>https?)://(?P<addr>[^:/']+):(?P<port>\d{1,5})(?P<path>/[^']*)' because it conflicts",
        keys: &["failedtolistenonprefix'"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "IIS / HTTP.sys",
        pattern: "0x80070020",
        keys: &["0x80070020"],
        class: Class::InUse,
        transport: None,
        hint: Some("the site's bindings have the port; a program other than HTTP.sys has it"),
        ..ROW
    },
    Row {
        source: "XAMPP control panel",
        pattern: r#"Port (?P<port>\d{1,5}) in use by "(?P<proc>[^"]*)"(?: with PID (?P<pid>\d+))?"#,
        keys: &[r#"inuseby""#],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "nginx",
        pattern: r"bind\(\) to (?P<addr>\[[^\]]*\]|[\w.*]+):(?P<port>\d{1,5}) failed \((?P<errno>\d+): (?P<msg>[^)]*)\)",
        keys: &["bind()to"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "nginx unix socket",
        pattern: r"bind\(\) to unix:(?P<path>\S+) failed \((?P<errno>\d+)",
        keys: &["bind()tounix:"],
        class: Class::SocketFile,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Apache httpd",
        pattern: r"\((?P<errno>\d+)\)(?P<msg>[^:]+): AH00072: make_sock: could not bind to address (?P<addr>\[[^\]]*\]|[\w.]+):(?P<port>\d{1,5})",
        keys: &[":ah00072:make_sock:couldnotbindtoaddress"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Apache httpd, Windows",
        pattern: r"\(OS (?P<errno>\d+)\).*AH00072: make_sock: could not bind to address (?P<addr>\[[^\]]*\]|[\w.]+):(?P<port>\d{1,5})",
        keys: &["ah00072:make_sock:couldnotbindtoaddress"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "lighttpd",
        pattern: r"can't bind to socket: (?P<addr>\S+):(?P<port>\d{1,5}): (?P<msg>.+)",
        keys: &["can'tbindtosocket:"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "HAProxy >=2.2",
        pattern: r"cannot bind socket \((?P<msg>[^)]*)\) (?:for )?\[(?P<addr>[^\]]*):(?P<port>\d{1,5})\]",
        keys: &["cannotbindsocket("],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "PostgreSQL",
        pattern: r#"could not bind (?P<fam>IPv4|IPv6|Unix) address "(?P<addr>[^"]*)": (?P<msg>.+)"#,
        keys: &["couldnotbind"],
        class: Class::InUse,
        transport: TCP,
        hint: Some(
            "`port` in postgresql.conf has it; the default is 5432, and the HINT line names it",
        ),
        needs: Needs::PostmasterHint,
        ..ROW
    },
    Row {
        source: "PostgreSQL hint (port)",
        pattern: r"Is another postmaster already running on port (?P<port>\d{1,5})\?",
        keys: &["isanotherpostmasteralreadyrunningonport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "MySQL / MariaDB",
        pattern: r"Do you already have another mysqld server running on port: ?(?P<port>\d{1,5})",
        keys: &["doyoualreadyhaveanothermysqldserverrunningonport:"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "MySQL bind line",
        pattern: "Can't start server: Bind on TCP/IP port[:.] ?(?P<msg>.+)",
        keys: &["can'tstartserver:bindontcp/ipport"],
        class: Class::InUse,
        transport: TCP,
        hint: Some("`port` in my.cnf has it; the default is 3306"),
        ..ROW
    },
    Row {
        source: "Redis >=6",
        pattern: r"ould not create server TCP listening socket (?P<addr>\S+):(?P<port>\d{1,5}): (?P<msg>.+)",
        keys: &["ouldnotcreateservertcplisteningsocket"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Redis abort line",
        pattern: r"Failed listening on port (?P<port>\d{1,5}) \((?P<proto>TCP|TLS)\), aborting",
        keys: &["failedlisteningonport"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Redis <6 and Windows port",
        pattern: r"Creating Server TCP listening socket (?P<addr>\S+):(?P<port>\d{1,5}): (?P<msg>.+)",
        keys: &["creatingservertcplisteningsocket"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "MongoDB",
        pattern: "SocketException: Address (?:already )?in use",
        keys: &["socketexception:address"],
        class: Class::InUse,
        transport: None,
        hint: Some("`net.port` in mongod.conf or --port has it; the default is 27017"),
        ..ROW
    },
    Row {
        source: "memcached",
        pattern: r"failed to listen on one of interface\(s\) (?P<addr>\S*): (?P<msg>.+)",
        keys: &["failedtolistenononeofinterface(s)"],
        class: Class::InUse,
        transport: TCP,
        hint: Some("-p has it; the default is 11211"),
        ..ROW
    },
    Row {
        source: "Mosquitto",
        pattern: r"Opening (?P<fam>ipv[46]) listen socket on port (?P<port>\d{1,5})",
        keys: &["listensocketonport"],
        class: Class::InUse,
        transport: TCP,
        needs: Needs::InUseNext,
        ..ROW
    },
    Row {
        source: "dnsmasq",
        pattern: r"dnsmasq: failed to create listening socket for (?:port (?P<port>\d{1,5})|(?P<addr>[^\s:]+)): Address (?:already )?in use",
        keys: &["dnsmasq:failedtocreatelisteningsocketfor"],
        class: Class::InUse,
        transport: None,
        hint: Some("dnsmasq serves DNS on port 53, unless `port` says otherwise, and DHCP on 67"),
        ..ROW
    },
    Row {
        source: "rsyncd",
        pattern: r"unable to bind any inbound sockets on port (?P<port>\d{1,5})",
        keys: &["unabletobindanyinboundsocketsonport"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "sshd",
        pattern: r"Bind to port (?P<port>\d{1,5}) on (?P<addr>\S+) failed: (?P<msg>[^.]+)",
        keys: &["bindtoport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Ncat",
        pattern: r"Ncat: bind to (?P<addr>\S+):(?P<port>\d{1,5}): (?P<msg>[^.]+)",
        keys: &["ncat:bindto"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "nc (OpenBSD, macOS)",
        pattern: r"\bnc(?:\.\w+)?: Address already in use",
        keys: &[":addressalreadyinuse"],
        class: Class::InUse,
        transport: None,
        hint: Some("the port is nc's own argument"),
        ..ROW
    },
    Row {
        source: "socat",
        pattern: r"E bind\(\d+, \{AF=\d+ (?P<addr>\S+):(?P<port>\d{1,5})\}, \d+\): (?P<msg>.+)",
        keys: &["ebind("],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "OpenVPN",
        pattern: r"Socket bind failed on local address \[(?P<fam>AF_INET6?)\](?:\[undef\]|(?P<addr>[^\s]*)):(?P<port>\d{1,5}): (?P<msg>.+)",
        keys: &["socketbindfailedonlocaladdress["],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "WireGuard (wg-quick)",
        pattern: "RTNETLINK answers: Address already in use",
        keys: &["rtnetlinkanswers:addressalreadyinuse"],
        class: Class::InUse,
        transport: UDP,
        hint: Some(
            "ListenPort in the interface's configuration has it (UDP, often 51820); the kernel holds it for the other interface",
        ),
        ..ROW
    },
    Row {
        source: "systemd socket unit",
        pattern: r"(?P<unit>\S+\.socket): Failed to create listening socket \((?P<addr>.*):(?P<port>\d{1,5})\): (?P<msg>.+)",
        keys: &[":failedtocreatelisteningsocket("],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "systemd socket unit, path",
        pattern: r"(?P<unit>\S+\.socket): Failed to create listening socket \((?P<path>/[^)]*)\): (?P<msg>.+)",
        keys: &[":failedtocreatelisteningsocket("],
        class: Class::SocketFile,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "systemd socket unit, short",
        pattern: r"(?P<unit>\S+\.socket): Failed to listen on sockets: (?P<msg>.+)",
        keys: &[":failedtolistenonsockets:"],
        class: Class::InUse,
        transport: None,
        hint: Some(
            "the unit's ListenStream= or ListenDatagram= has it: `systemctl cat` shows them",
        ),
        ..ROW
    },
    Row {
        source: "ssh -L / -D",
        pattern: r"^bind \[(?P<addr>[^\]]*)\]:(?P<port>\d{1,5}): (?P<msg>.+)$",
        keys: &["bind["],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "ssh -L second line",
        pattern: r"channel_setup_fwd_listener(?:_tcpip)?: cannot listen to port: (?P<port>\d{1,5})",
        keys: &["channel_setup_fwd_listener"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "ssh -R",
        pattern: r"remote port forwarding failed for listen port (?P<port>\d{1,5})",
        keys: &["remoteportforwardingfailedforlistenport"],
        class: Class::Elsewhere,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "ssh -R unix socket",
        pattern: r"remote port forwarding failed for listen path (?P<path>\S+)",
        keys: &["remoteportforwardingfailedforlistenpath"],
        class: Class::Elsewhere,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "kubectl port-forward",
        pattern: r"Unable to listen on port (?P<port>\d{1,5}): (?:All l|L)isteners failed to create",
        keys: &["istenersfailedtocreate"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "kubectl last line",
        pattern: r"(?i)unable to listen on any of the requested ports: \[\{(?P<port>\d{1,5}) (?P<target>\d{1,5})\}",
        keys: &["unabletolistenonanyoftherequestedports:[{"],
        class: Class::Unsaid,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Docker Engine: docker's own allocator",
        pattern: r"Bind for (?P<addr>\[?[\w.:*]*\]?):(?P<port>\d{1,5}) failed: port is already allocated",
        keys: &["failed:portisalreadyallocated"],
        class: Class::Allocated,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Docker Engine <28: host process",
        pattern: r"Error starting userland proxy: listen (?P<proto>tcp|udp)[46]? (?P<addr>\S*):(?P<port>\d{1,5}): bind: address already in use",
        keys: &["errorstartinguserlandproxy:listen"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Docker Engine 28.0-28.2",
        pattern: r"failed to bind host port for (?P<addr>\[[^\]]*\]|[\d.]+):(?P<port>\d{1,5})(?::(?P<caddr>[^:/\s]+):(?P<cport>\d{1,5}))?(?::\d+)?/(?P<proto>tcp|udp|sctp): address already in use",
        keys: &["failedtobindhostportfor"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Docker Engine >=28.3",
        pattern: r"failed to bind host port (?P<addr>\[[^\]]*\]|[\d.]+):(?P<port>\d{1,5})/(?P<proto>tcp|udp|sctp): address already in use",
        keys: &["failedtobindhostport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Docker Desktop, in use",
        pattern: r"(?i)ports are not available: exposing port (?P<proto>TCP|UDP) (?P<addr>\S+):(?P<port>\d{1,5}) -> \S+: listen (?:tcp|udp)[46]? \S+: bind: (?P<msg>.+)",
        keys: &["portsarenotavailable:exposingport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Docker Desktop older",
        pattern: r"Ports are not available: listen (?P<proto>tcp|udp)[46]? (?P<addr>\S+):(?P<port>\d{1,5}): bind: (?P<msg>.+)",
        keys: &["portsarenotavailable:listen"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Podman rootless",
        pattern: r"rootlessport listen (?P<proto>tcp|udp)[46]? (?P<addr>\S+):(?P<port>\d{1,5}): bind: address already in use",
        keys: &[":bind:addressalreadyinuse"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Podman rootless (old)",
        pattern: r#"failed to expose ports via rootlessport: "listen (?P<proto>tcp|udp)[46]? (?P<addr>\S+):(?P<port>\d{1,5})"#,
        keys: &[r#"failedtoexposeportsviarootlessport:"listen"#],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Podman pasta",
        pattern: r"Failed to bind port (?P<port>\d{1,5}) \((?P<msg>[^)]*)\) for option '(?P<opt>[^']*)'",
        keys: &["failedtobindport"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Podman privileged",
        pattern: r"rootlessport cannot expose privileged port (?P<port>\d{1,5})",
        keys: &["rootlessportcannotexposeprivilegedport"],
        class: Class::Denied,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "Vagrant",
        pattern: r"forwarded port to (?P<port>\d{1,5}) is already in use\s+on the host machine",
        keys: &["onthehostmachine"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "QEMU user networking",
        pattern: r"(?i)could not set up host forwarding rule '(?P<proto>tcp|udp):(?P<addr>[^:]*):(?P<port>\d{1,5})-",
        keys: &["couldnotsetuphostforwardingrule'"],
        class: Class::Unsaid,
        transport: None,
        ..ROW
    },
    Row {
        source: "adb server",
        pattern: r"could not install \*?smartsocket\*? listener: (?P<msg>.+)",
        keys: &["couldnotinstall"],
        class: Class::InUse,
        transport: TCP,
        hint: Some("the adb server has port 5037, unless ANDROID_ADB_SERVER_PORT says otherwise"),
        ..ROW
    },
    Row {
        source: "adb server, Windows",
        pattern: r"smartsocket\*? listener: cannot bind to (?P<addr>[\d.]+):(?P<port>\d{1,5}): .*\((?P<errno>\d+)\)",
        keys: &["listener:cannotbindto"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "adb old",
        pattern: r"cannot bind '(?P<proto>tcp):(?P<port>\d{1,5})'",
        keys: &["cannotbind'"],
        class: Class::InUse,
        transport: TCP,
        ..ROW
    },
    Row {
        source: "glibc and macOS strerror, English",
        pattern: r"(?i)\baddress already in use\b",
        keys: &["addressalreadyinuse"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "musl strerror (Alpine)",
        pattern: r"(?i)\baddress in use\b",
        keys: &["addressinuse"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "macOS EADDRNOTAVAIL",
        pattern: r"(?i)\b(?:can't|cannot) assign requested address\b",
        keys: &["assignrequestedaddress"],
        class: Class::NotLocal,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, German",
        pattern: "Die Adresse wird bereits verwendet",
        keys: &["dieadressewirdbereitsverwendet"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, French",
        pattern: "Adresse déjà utilisée",
        keys: &["adressedéjàutilisée"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Spanish",
        pattern: "La dirección ya se está usando",
        keys: &["ladirecciónyaseestáusando"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Italian",
        pattern: "Indirizzo già in uso",
        keys: &["indirizzogiàinuso"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Portuguese",
        pattern: "Endereço já em uso",
        keys: &["endereçojáemuso"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Dutch",
        pattern: "Adres is al in gebruik",
        keys: &["adresisalingebruik"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Polish",
        pattern: "Adres jest już w użyciu",
        keys: &["adresjestjużwużyciu"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Czech",
        pattern: "Adresa je užívána",
        keys: &["adresajeužívána"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Swedish",
        pattern: "Adressen redan upptagen",
        keys: &["adressenredanupptagen"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Turkish",
        pattern: "Adres zaten kullanımda",
        keys: &["adreszatenkullanımda"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Russian",
        pattern: "Адрес уже используется",
        keys: &["Адресужеиспользуется"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Ukrainian",
        pattern: "Адресу вже використано",
        keys: &["Адресувжевикористано"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Japanese",
        pattern: "アドレスは既に使用中です",
        keys: &["アドレスは既に使用中です"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Korean",
        pattern: "주소가 이미 사용 중입니다",
        keys: &["주소가이미사용중입니다"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Chinese (Simplified)",
        pattern: "地址已在使用",
        keys: &["地址已在使用"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Chinese (Traditional)",
        pattern: "位址已經有在使用",
        keys: &["位址已經有在使用"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "glibc strerror, Vietnamese",
        pattern: "Địa chỉ đang được dùng",
        keys: &["Địachỉđangđượcdùng"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, English",
        pattern: "Only one usage of each socket address",
        keys: &["onlyoneusageofeachsocketaddress"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, German",
        pattern: "(?i)Normalerweise darf jede Socketadresse",
        keys: &["normalerweisedarfjedesocketadresse"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, French",
        pattern: "(?i)Une seule utilisation de chaque adresse de socket",
        keys: &["uneseuleutilisationdechaqueadressedesocket"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Spanish",
        pattern: "(?i)S[oó]lo se permite un uso de cada dirección de socket",
        keys: &["losepermiteunusodecadadireccióndesocket"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Portuguese (Brazil)",
        pattern: "(?i)apenas uma utilização de cada endereço de soquete",
        keys: &["apenasumautilizaçãodecadaendereçodesoquete"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Italian",
        pattern: "(?i)un solo utilizzo di ogni indirizzo di socket",
        keys: &["unsoloutilizzodiogniindirizzodisocket"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Polish",
        pattern: "(?i)Tylko jedno użycie każdego adresu gniazda",
        keys: &["tylkojednoużyciekażdegoadresugniazda"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Dutch",
        pattern: "(?i)Elk socketadres .* slechts één keer",
        keys: &["slechtséénkeer"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Turkish",
        pattern: "(?i)her yuva adresi .*yalnızca bir kullanıma izin",
        keys: &["yalnızcabirkullanımaizin"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Russian",
        pattern: "(?i)только одно использование адреса сокета",
        keys: &["толькоодноиспользованиеадресасокета"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Japanese",
        pattern: "各ソケット ?アドレスに対してプロトコル",
        keys: &["アドレスに対してプロトコル"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Korean",
        pattern: r"각 소켓 주소\(프로토콜/네트워크 주소/포트\)는 하나만",
        keys: &["각소켓주소(프로토콜/네트워크주소/포트)는하나만"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Chinese (Simplified)",
        pattern: "每个套接字地址.*只允许使用一次",
        keys: &["只允许使用一次"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEADDRINUSE 10048, Chinese (Traditional)",
        pattern: "一次只能用一個通訊端位址",
        keys: &["一次只能用一個通訊端位址"],
        class: Class::InUse,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEACCES 10013, English",
        pattern: "(?i)attempt was made to access a socket in a way forbidden by its access permissions",
        keys: &["attemptwasmadetoaccessasocketinawayforbiddenbyitsaccesspermissions"],
        class: Class::Denied,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEACCES 10013, German",
        pattern: "(?i)Der Zugriff auf einen Socket war aufgrund der Zugriffsrechte",
        keys: &["derzugriffaufeinensocketwaraufgrundderzugriffsrechte"],
        class: Class::Denied,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEACCES 10013, French",
        pattern: "(?i)accès à un socket de manière interdite par ses autorisations",
        keys: &["accèsàunsocketdemanièreinterditeparsesautorisations"],
        class: Class::Denied,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows WSAEACCES 10013, Chinese (Simplified)",
        pattern: "以一种访问权限不允许的方式做了一个访问套接字的尝试",
        keys: &["以一种访问权限不允许的方式做了一个访问套接字的尝试"],
        class: Class::Denied,
        transport: None,
        ..ROW
    },
    Row {
        source: "Windows number in parentheses (boost, .NET, adb)",
        pattern: r"(?:system:|\(|error |code[:=] ?|OS )(?P<winerr>10048|10013|10049)\b",
        keys: &["10048", "10013", "10049"],
        class: Class::InUse,
        transport: None,
        needs: Needs::BindWord,
        ..ROW
    },
    Row {
        source: "Any line with the constant",
        pattern: r"\b(?P<code>E(?:ADDRINUSE|ADDRNOTAVAIL|ACCES)|WSAE(?:ADDRINUSE|ACCES|ADDRNOTAVAIL))\b",
        keys: &["eaddrinuse", "eaddrnotavail", "eacces"],
        class: Class::InUse,
        transport: None,
        needs: Needs::BindWord,
        ..ROW
    },
    // Seen while trying real programs.
    Row {
        source: "memcached, with port",
        pattern: r"failed to listen on (?P<proto>TCP|UDP) port (?P<port>\d{1,5}): (?P<msg>.+)",
        keys: &["failedtolistenontcpport", "failedtolistenonudpport"],
        ours: true,
        ..ROW
    },
    Row {
        source: "Ruby TCPServer, no host",
        pattern: r"Address already in use - bind\(2\) for nil port (?P<port>\d{1,5})",
        keys: &["-bind(2)fornilport"],
        transport: TCP,
        ours: true,
        ..ROW
    },
    Row {
        source: "Node.js dgram (UDP), denied",
        pattern: r"bind (?:EACCES|EPERM):? (?:permission denied )?(?P<addr>[\w.:\[\]-]+):(?P<port>\d{1,5})\b",
        keys: &["bindeacces", "bindeperm"],
        class: Class::Denied,
        transport: UDP,
        needs: Needs::NotNull,
        ours: true,
        ..ROW
    },
    Row {
        source: "Node.js net <12, denied",
        pattern: r"listen EACCES:? (?P<addr>[\w.:%*\[\]-]*):(?P<port>\d{1,5})\b",
        keys: &["listeneacces"],
        class: Class::Denied,
        transport: TCP,
        ours: true,
        ..ROW
    },
    Row {
        source: "Node.js connect() exhaustion, no address",
        pattern: r"connect EADDRNOTAVAIL (?P<addr>[\w.:\[\]-]+):(?P<port>\d{1,5})\b",
        keys: &["connecteaddrnotavail"],
        class: Class::Exhausted,
        transport: TCP,
        ours: true,
        ..ROW
    },
    Row {
        source: "serve >=14",
        pattern: r"This port was picked because (?P<port>\d{1,5}) is in use\.",
        keys: &["thisportwaspickedbecause"],
        transport: TCP,
        needs: Needs::LocalAbove,
        ours: true,
        ..ROW
    },
    Row {
        source: "Perl, with port",
        pattern: r"[Pp]ort (?P<port>\d{1,5}): IO::Socket::\w+: (?:bind: )?(?P<msg>Address already in use|Permission denied|Cannot assign requested address)",
        keys: &["io::socket::"],
        ours: true,
        ..ROW
    },
    Row {
        source: "Any line with the sentence and an address",
        pattern: r"[Aa]ddress already in use:? (?P<addr>\[[\w.:%]+\]|\d+\.\d+\.\d+\.\d+|localhost|\*)?:(?P<port>\d{1,5})\b",
        keys: &["addressalreadyinuse"],
        ours: true,
        ..ROW
    },
];
