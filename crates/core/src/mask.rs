//! Hides the values of arguments that look like secrets: command lines are shown, recorded and
//! pasted into bug reports. Names decide first, then the forms of well-known tokens; randomness
//! alone decides nothing, because commit ids and container ids look just as random.

use std::borrow::Cow;

use crate::supervisor::file_name;

/// What a secret is replaced by.
pub const MASK: &str = "***";

/// The arguments with the values of secrets replaced by [`MASK`]. There are as many as before,
/// and masking twice changes nothing more.
pub fn mask_argv(argv: &[String]) -> Vec<String> {
    let program = argv.first().map_or("", |first| file_name(first));
    mask_words(program, &argv.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether a variable of an environment looks like a secret: by its name, more broadly than for
/// arguments, since nobody reads an environment before it is kept, or by the form of its value
/// (a URL with a password in it, a well-known token).
pub fn is_secret_variable(name: &str, value: &str) -> bool {
    /// Parts of names, wherever they stand.
    const PARTS: &[&str] = &[
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "PASSWORT",
        "CREDENTIAL",
        "APIKEY",
        "COOKIE",
    ];
    /// Words of names.
    const WORDS: &[&str] = &["KEY", "KEYS", "PASS", "AUTH", "DSN", "PGPASS"];
    let upper = name.to_ascii_uppercase();
    if name == "PWD" || name == "OLDPWD" {
        return false;
    }
    // What tells where a secret is is none: SSH_AUTH_SOCK, GNOME_KEYRING_CONTROL, TOKEN_FILE.
    let about = name_words(name).last().is_some_and(|last| {
        ABOUT.contains(&last.as_str())
            || ["sock", "socket", "control", "colors"].contains(&last.as_str())
    });
    let named = PARTS.iter().any(|part| upper.contains(part))
        || upper.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word));
    (named && !about && !is_path(value))
        || classify(name) == Name::Secret
        || (!about && classify(name) == Name::KeyOrPath && !is_path(value))
        || mask_word("", value) != value
}

fn mask_words(program: &str, words: &[&str]) -> Vec<String> {
    let mut masked = Vec::with_capacity(words.len());
    let mut next_is_value = Next::Plain;
    for word in words {
        let expected = std::mem::replace(&mut next_is_value, Next::Plain);
        masked.push(match expected {
            Next::Secret if is_value(word) => MASK.to_owned(),
            Next::KeyOrPath if is_value(word) && !is_path(word) => MASK.to_owned(),
            Next::Pair(separator) if is_value(word) => mask_pair(word, separator),
            Next::PassPhrase => mask_pass_phrase(word),
            _ => {
                next_is_value = after(program, word);
                mask_word(program, word)
            }
        });
    }
    masked
}

/// What an option says about the word after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Plain,
    /// A secret.
    Secret,
    /// A key, or the file it is in.
    KeyOrPath,
    /// `user:password`, with that separator.
    Pair(char),
    /// OpenSSL's `pass:secret`, `file:path`, `env:name` (openssl-passphrase-options(1)).
    PassPhrase,
}

fn after(program: &str, word: &str) -> Next {
    if !word.starts_with('-') {
        return Next::Plain;
    }
    match (program, word) {
        ("redis-cli", "-a")
        | ("sshpass" | "mongo" | "mongosh" | "mongodump" | "mongorestore", "-p")
        | ("ldapsearch" | "ldapmodify" | "ldapadd", "-w") => return Next::Secret,
        ("curl", "-u" | "--user" | "-U" | "--proxy-user") => return Next::Pair(':'),
        ("smbclient", "-U" | "--user") => return Next::Pair('%'),
        (_, "-passin" | "-passout") => return Next::PassPhrase,
        _ => {}
    }
    if word.contains(['=', ' ', ':']) {
        return Next::Plain;
    }
    match classify(word) {
        Name::Harmless => Next::Plain,
        Name::Secret => Next::Secret,
        Name::KeyOrPath => Next::KeyOrPath,
    }
}

/// Whether a word can be the value of the option before it: another option cannot, and `-` means
/// standard input.
fn is_value(word: &str) -> bool {
    !word.starts_with('-') && !word.is_empty()
}

fn is_path(word: &str) -> bool {
    ["/", "./", "../", "~/"].iter().any(|start| word.starts_with(start))
        || [".pem", ".key", ".pub", ".crt"].iter().any(|end| word.ends_with(end))
}

fn mask_pair(word: &str, separator: char) -> String {
    match word.split_once(separator) {
        Some((user, secret)) if !secret.is_empty() => format!("{user}{separator}{MASK}"),
        _ => word.to_owned(),
    }
}

fn mask_pass_phrase(word: &str) -> String {
    if word.starts_with("pass:") { format!("pass:{MASK}") } else { word.to_owned() }
}

fn mask_word(program: &str, word: &str) -> String {
    if is_harmless(word) {
        return word.to_owned();
    }
    if let Some(masked) = mask_header(word) {
        return masked;
    }
    if word.contains(char::is_whitespace) {
        return mask_script(word);
    }
    if is_mysql(program) && word.starts_with("-p") && word.len() > 2 && !word.starts_with("-p=") {
        return format!("-p{MASK}");
    }
    if program == "sshpass" && word.starts_with("-p") && word.len() > 2 {
        return format!("-p{MASK}");
    }
    if let Some((name, value)) = assignment(word)
        && hides(name, value)
    {
        return format!("{name}={MASK}");
    }
    let masked = match word.contains('=') {
        true => Cow::Owned(mask_segments(word)),
        false => Cow::Borrowed(word),
    };
    match masked.contains("://") {
        true => mask_tokens(&mask_userinfo(&masked)),
        false => mask_tokens(&masked),
    }
}

/// Whether nothing below can find a secret in a word, whatever program it is for: most words are
/// short and plain, and a list of all processes has very many.
fn is_harmless(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'=' && byte != b':';
    word.len() < SHORTEST_TOKEN && !word.starts_with("-p") && word.bytes().all(plain)
}

fn is_mysql(program: &str) -> bool {
    ["mysql", "mariadb"].iter().any(|name| program.starts_with(name))
        && !program.starts_with("mysqld")
        && !program.starts_with("mariadbd")
        || program == "mysqldump"
        || program == "mariadb-dump"
}

/// `Name: value` as HTTP headers are given to a client: `-H 'Authorization: Bearer x'`.
fn mask_header(word: &str) -> Option<String> {
    let (name, value) = word.split_once(": ")?;
    let bare = name.trim_start_matches(['-', 'H', '=']);
    if bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let lower = bare.to_ascii_lowercase();
    let secret =
        matches!(lower.as_str(), "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
            || classify(&lower) != Name::Harmless;
    if !secret || value.is_empty() {
        return None;
    }
    match value.split_once(' ') {
        Some((scheme, _)) if lower.ends_with("authorization") => {
            Some(format!("{name}: {scheme} {MASK}"))
        }
        _ => Some(format!("{name}: {MASK}")),
    }
}

/// A word with blanks in it is a script, as after `sh -c`: each of its words is masked.
fn mask_script(script: &str) -> String {
    let words: Vec<&str> = script.split_whitespace().collect();
    let program = words.first().map_or("", |first| file_name(first));
    let masked = mask_words(program, &words);
    let masked = mask_bearer(masked);
    let mut text = String::with_capacity(script.len());
    let mut rest = script;
    for (word, masked) in words.iter().zip(masked) {
        let at = rest.find(word).unwrap_or(0);
        text.push_str(&rest[..at]);
        text.push_str(&masked);
        rest = &rest[at + word.len()..];
    }
    text.push_str(rest);
    text
}

fn mask_bearer(mut words: Vec<String>) -> Vec<String> {
    for i in 1..words.len() {
        if words[i - 1].eq_ignore_ascii_case("bearer") {
            let tail = words[i].trim_start_matches(|c| c != '\'' && c != '"');
            words[i] = format!("{MASK}{tail}");
        }
    }
    words
}

/// `name=value` of a plain name, as in `--password=x`, `DB_PASSWORD=x`, `-Ddb.password=x`.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let plain = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (plain && !value.is_empty()).then_some((name, value))
}

fn hides(name: &str, value: &str) -> bool {
    match classify(name) {
        Name::Harmless => false,
        Name::Secret => true,
        Name::KeyOrPath => !is_path(value),
    }
}

/// The parts of a query or a connection string: `?token=x&a=b`, `Server=a;Password=b`.
fn mask_segments(word: &str) -> String {
    let mut masked = String::with_capacity(word.len());
    for segment in word.split_inclusive(['?', '&', ';', ',']) {
        let (body, end) = match segment.char_indices().next_back() {
            Some((at, '?' | '&' | ';' | ',')) => segment.split_at(at),
            _ => (segment, ""),
        };
        match assignment(body) {
            Some((name, value)) if hides(name, value) => {
                masked.push_str(name);
                masked.push('=');
                masked.push_str(MASK);
            }
            _ => masked.push_str(body),
        }
        masked.push_str(end);
    }
    masked
}

/// `scheme://user:password@host` (RFC 3986 3.2.1).
fn mask_userinfo(word: &str) -> String {
    let Some(start) = word.find("://").map(|at| at + 3) else { return word.to_owned() };
    let end = word[start..].find(['/', '?', '#']).map_or(word.len(), |at| start + at);
    // An `@` after the path began belongs to a password with a raw `/` in it, or to the path;
    // a path without a colon before it is left alone.
    let Some(at) = word[start..end].rfind('@').map(|at| start + at) else {
        return word.to_owned();
    };
    match word[start..at].find(':').map(|colon| start + colon) {
        Some(colon) if colon + 1 < at => {
            format!("{}:{MASK}{}", &word[..colon], &word[at..])
        }
        _ => word.to_owned(),
    }
}

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Harmless,
    Secret,
    KeyOrPath,
}

/// Words that name a secret wherever they stand in a name.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "requirepass",
    "masterauth",
    "masterpass",
    "userpass",
    "dbpass",
    "authkey",
    "secretkey",
    "accesskey",
    "accesstoken",
    "authtoken",
];

/// Words that name one only where they stand last.
const LAST_WORDS: &[&str] = &["pass", "pw", "pwd"];

/// What may stand before `key` to make it a secret.
const KEY_OWNERS: &[&str] = &[
    "api",
    "access",
    "secret",
    "signing",
    "encryption",
    "account",
    "master",
    "shared",
    "auth",
    "deploy",
    "session",
    "subscription",
];

/// Last words that make the value something about a secret and not the secret.
const ABOUT: &[&str] = &[
    "file",
    "files",
    "path",
    "dir",
    "directory",
    "name",
    "id",
    "length",
    "len",
    "min",
    "max",
    "type",
    "env",
    "var",
    "url",
    "uri",
    "endpoint",
    "policy",
    "ttl",
    "expiry",
    "expires",
    "expiration",
    "timeout",
    "prompt",
    "stdin",
    "fd",
    "required",
    "enabled",
    "disabled",
    "store",
    "manager",
    "provider",
    "helper",
    "command",
    "cmd",
    "count",
    "limit",
    "size",
    "format",
    "arn",
    "ref",
    "rotation",
    "field",
    "header",
    "interval",
    "issuer",
    "audience",
    "algorithm",
    "mode",
    "version",
    "budget",
    "rate",
];

/// What every name of a secret has in it somewhere: a look for it spares most names the rest.
fn has_stem(name: &str) -> bool {
    let bytes = name.as_bytes();
    // By the first letter: a list of all processes has very many names.
    let stems = |first: u8| -> &[&str] {
        match first.to_ascii_lowercase() {
            b'p' => &["pass", "pw"],
            b's' => &["secret"],
            b't' => &["token"],
            b'k' => &["key"],
            b'c' => &["credential"],
            b'a' => &["auth"],
            _ => &[],
        }
    };
    let starts = |at: usize, stem: &str| {
        bytes
            .get(at..at + stem.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(stem.as_bytes()))
    };
    bytes.iter().enumerate().any(|(at, &first)| stems(first).iter().any(|stem| starts(at, stem)))
}

fn classify(name: &str) -> Name {
    if !has_stem(name) {
        return Name::Harmless;
    }
    let words = name_words(name);
    let Some(last) = words.last().map(String::as_str) else { return Name::Harmless };
    if ABOUT.contains(&last) {
        return Name::Harmless;
    }
    if words.iter().any(|word| SECRET_WORDS.contains(&word.as_str())) {
        return Name::Secret;
    }
    if LAST_WORDS.contains(&last) {
        // `PWD` is also the shell's name for the working directory.
        return if last == "pwd" { Name::KeyOrPath } else { Name::Secret };
    }
    let owner = words.len().checked_sub(2).map(|at| words[at].as_str());
    match (owner, last) {
        (Some(owner), "key") if KEY_OWNERS.contains(&owner) => Name::Secret,
        (Some("private"), "key") => Name::KeyOrPath,
        _ => Name::Harmless,
    }
}

/// The words of a name: `--db-password`, `DB_PASSWORD`, `dbPassword`, `db.password`.
fn name_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut lower_before = false;
    for c in name.chars() {
        let boundary = !c.is_ascii_alphanumeric();
        let ends = boundary || (c.is_ascii_uppercase() && lower_before);
        if ends && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !boundary {
            word.push(c.to_ascii_lowercase());
        }
        lower_before = c.is_ascii_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Tokens that say themselves what they are: their start and how much must follow.
const TOKENS: &[(&str, usize)] = &[
    ("github_pat_", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("glpat-", 16),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("sk-", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("hf_", 30),
    ("AIza", 35),
    ("AKIA", 16),
    ("ASIA", 16),
];

/// No token is shorter than that: `xoxb-` and ten more, or three parts of a JWT.
const SHORTEST_TOKEN: usize = 15;

/// Replaces tokens that start at the beginning of a word of letters, digits, `_` and `-`.
fn mask_tokens(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let run = rest.bytes().position(|byte| !is_token_char(byte.into()));
        let run = run.unwrap_or(rest.len());
        if run == 0 {
            let step = rest.chars().next().map_or(1, char::len_utf8);
            text.push_str(&rest[..step]);
            rest = &rest[step..];
            continue;
        }
        match token_length(rest, run) {
            Some((keep, length)) => {
                text.push_str(&rest[..keep]);
                text.push_str(MASK);
                rest = &rest[length..];
            }
            None => {
                text.push_str(&rest[..run]);
                rest = &rest[run..];
            }
        }
    }
    text
}

const fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// How much of a token to keep as a hint of its kind, and how long it is.
fn token_length(text: &str, run: usize) -> Option<(usize, usize)> {
    if let Some(length) = jwt_length(text) {
        return Some((0, length));
    }
    if run < SHORTEST_TOKEN {
        return None;
    }
    TOKENS.iter().find_map(|(start, least)| {
        let fits = text[..run].starts_with(start) && run >= start.len() + least;
        let strict = !matches!(*start, "AKIA" | "ASIA")
            || (run == start.len() + least
                && text[..run].bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        (fits && strict).then_some((start.len(), run))
    })
}

/// The length of a JSON Web Token (RFC 7519): three base64url parts, of which two begin `{"`.
fn jwt_length(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let end = text.find(|c| !is_token_char(c) && c != '.').unwrap_or(text.len());
    let mut parts = text[..end].split('.');
    let (head, body, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let is = head.starts_with("eyJ") && body.starts_with("eyJ") && signature.len() >= 8;
    is.then_some(head.len() + body.len() + signature.len() + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(line: &[&str]) -> Vec<String> {
        mask_argv(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_spares_a_look_misses_no_secret() {
        let names = SECRET_WORDS.iter().chain(LAST_WORDS).chain(&["key"]);
        assert!(names.clone().all(|name| has_stem(name)), "{names:?}");
        assert!(has_stem("--dbPassword") && has_stem("DB_PW") && !has_stem("--processes"));
        assert!(TOKENS.iter().all(|(start, least)| start.len() + least >= SHORTEST_TOKEN));
        assert_eq!(masked(&["app", "eyJ.eyJ.12345678"]), ["app", MASK]);
    }

    proptest! {
        #[test]
        fn what_is_harmless_is_so_after_a_long_look(word in "[!-~]{0,14}") {
            if is_harmless(&word) {
                prop_assert_eq!(mask_header(&word), None);
                prop_assert!(assignment(&word).is_none());
                prop_assert_eq!(mask_tokens(&mask_userinfo(&mask_segments(&word))), word);
            }
        }
    }

    #[test]
    fn secrets_are_masked() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let rows: &[(&[&str], &[&str])] = &[
            (&["app", "--password=x"], &["app", "--password=***"]),
            (&["app", "--password=a,b;c=d"], &["app", "--password=***"]),
            (&["app", "--password", "x", "y"], &["app", "--password", "***", "y"]),
            (&["app", "-password", "x"], &["app", "-password", "***"]),
            (&["app", "--dbPassword", "x"], &["app", "--dbPassword", "***"]),
            (&["app", "--token", "x"], &["app", "--token", "***"]),
            (&["app", "--auth-token=x"], &["app", "--auth-token=***"]),
            (&["app", "--api-key", "x"], &["app", "--api-key", "***"]),
            (&["app", "--secret", "x"], &["app", "--secret", "***"]),
            (&["app", "--client-secret=x"], &["app", "--client-secret=***"]),
            (&["app", "--secret-key-base", "x"], &["app", "--secret-key-base", "***"]),
            (&["app", "--private-key", "MIIE"], &["app", "--private-key", "***"]),
            (&["env", "API_KEY=x"], &["env", "API_KEY=***"]),
            (&["env", "DB_PASSWORD=p=q"], &["env", "DB_PASSWORD=***"]),
            (&["env", "AWS_SECRET_ACCESS_KEY=x"], &["env", "AWS_SECRET_ACCESS_KEY=***"]),
            (&["java", "-Ddb.password=x"], &["java", "-Ddb.password=***"]),
            (&["redis-server", "--requirepass", "x"], &["redis-server", "--requirepass", "***"]),
            (&["redis-cli", "-a", "x"], &["redis-cli", "-a", "***"]),
            (&["/usr/bin/mysql", "-psecret"], &["/usr/bin/mysql", "-p***"]),
            (&[r"C:\mysql\bin\mysql.exe", "-psecret"], &[r"C:\mysql\bin\mysql.exe", "-p***"]),
            (&["mysqldump", "-psecret"], &["mysqldump", "-p***"]),
            (&["sshpass", "-p", "x", "ssh"], &["sshpass", "-p", "***", "ssh"]),
            (&["curl", "-u", "me:x"], &["curl", "-u", "me:***"]),
            (
                &["curl", "-H", "Authorization: Bearer abc"],
                &["curl", "-H", "Authorization: Bearer ***"],
            ),
            (&["curl", "-H", "X-Api-Key: abc"], &["curl", "-H", "X-Api-Key: ***"]),
            (&["curl", "-H", "Cookie: a=b"], &["curl", "-H", "Cookie: ***"]),
            (&["app", "postgres://u:pw@h/db"], &["app", "postgres://u:***@h/db"]),
            (&["app", "--db=postgres://u:p@w@h/db"], &["app", "--db=postgres://u:***@h/db"]),
            (&["app", "redis://:pw@h"], &["app", "redis://:***@h"]),
            (&["app", "http://h/x?a=1&token=t&b=2"], &["app", "http://h/x?a=1&token=***&b=2"]),
            (&["app", "Server=h;Password=p;x=1"], &["app", "Server=h;Password=***;x=1"]),
            (&["app", "AKIAIOSFODNN7EXAMPLE"], &["app", "AKIA***"]),
            (&["app", "ghp_0123456789abcdefghijABCDEFGHIJ012345"], &["app", "ghp_***"]),
            (&["app", "k:sk-0123456789abcdefghij0123"], &["app", "k:sk-***"]),
            (&["app", "xoxb-1234567890-abc"], &["app", "xoxb-***"]),
            (&["app", jwt], &["app", "***"]),
            (&["openssl", "-passin", "pass:x"], &["openssl", "-passin", "pass:***"]),
            (
                &["sh", "-c", "TOKEN=x  app --password y z"],
                &["sh", "-c", "TOKEN=***  app --password *** z"],
            ),
            (
                &["sh", "-c", "curl -H 'Authorization: Bearer abc' http://h"],
                &["sh", "-c", "curl -H 'Authorization: Bearer ***' http://h"],
            ),
        ];
        for (line, want) in rows {
            assert_eq!(masked(line), *want, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let rows: &[&[&str]] = &[
            &["app", "--password-file", "/run/secrets/db"],
            &["app", "--password-file=/run/secrets/db"],
            &["app", "--tokenizer", "gpt2"],
            &["app", "--max-tokens", "100"],
            &["app", "--token-ttl=5m"],
            &["app", "--pass-through", "x"],
            &["app", "--bypass", "x"],
            &["app", "--password", "--verbose"],
            &["app", "--password", "-"],
            &["app", "--private-key", "/etc/ssl/key.pem"],
            &["app", "--private-key=server.key"],
            &["app", "--key", "name"],
            &["app", "--keyboard", "de"],
            &["env", "PWD=/home/me"],
            &["env", "PORT=3000"],
            &["app", "--secret-name=db"],
            &["ssh", "-p", "2222", "host"],
            &["nc", "-p3000"],
            &["docker", "run", "-p", "3000:3000", "-p3001:3001"],
            &["mysqld", "-port"],
            &["curl", "http://localhost:3000/a@b"],
            &["git", "clone", "ssh://git@host/x"],
            &["app", "5f3759df5f3759df5f3759df5f3759df5f3759df"],
            &["app", "sk-learn"],
            &["nginx: master process /usr/sbin/nginx -g daemon off;"],
            &["postgres: checkpointer "],
            &["openssl", "-passin", "file:/x"],
            &["node", "server.js", "--port", "3000"],
            &[""],
            &[],
        ];
        for line in rows {
            assert_eq!(masked(line), *line);
        }
    }

    proptest! {
        #[test]
        fn masking_keeps_the_count_and_is_done_at_once(
            argv in prop::collection::vec("[ -~é]{0,24}|--password|TOKEN=[a-z ]{0,5}", 0..6)
        ) {
            let once = mask_argv(&argv);
            prop_assert_eq!(once.len(), argv.len());
            prop_assert_eq!(mask_argv(&once), once);
        }
    }

    #[test]
    fn variables_that_are_kept_from_files() {
        for (name, value) in [
            ("API_TOKEN", "x"),
            ("PGPASSWORD", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("STRIPE_KEY", "x"),
            ("MY_KEYS", "x"),
            ("npm_config_//registry/:_authToken", "x"),
            ("REDISCLI_AUTH", "x"),
            ("DB_PASS", "x"),
            ("DATABASE_URL", "postgres://me:pw@db/x"),
            ("ANYTHING", "ghp_0123456789abcdefghij0123"),
            ("SENTRY_DSN", "https://key@host/1"),
        ] {
            assert!(is_secret_variable(name, value), "{name}");
        }
        for (name, value) in [
            ("PATH", "/bin"),
            ("PWD", "/home/me"),
            ("OLDPWD", "/"),
            ("SSH_AUTH_SOCK", "/tmp/x"),
            ("GNOME_KEYRING_CONTROL", "/run/x"),
            ("TOKEN_FILE", "/run/secrets/t"),
            ("PRIVATE_KEY", "/etc/key.pem"),
            ("DATABASE_URL", "postgres://db/x"),
            ("KEYBOARD", "us"),
            ("PORT", "3000"),
        ] {
            assert!(!is_secret_variable(name, value), "{name}");
        }
    }
}
