use super::*;

fn read(text: &str, variables: &[(&str, &str)]) -> Settings {
    let set = toml::read(text).map_err(|wrong| {
        let (line, column) = wrong.place(text);
        format!("{line}:{column}: {}", wrong.explain)
    });
    let env = |name: &str| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    };
    let mut settings = Settings { set: set.unwrap(), ..Settings::default() };
    for setting in keys::from_environment(&env).unwrap() {
        settings.set.retain(|other| other.key != setting.key);
        settings.set.push(setting);
    }
    settings
}

fn wrong(text: &str) -> String {
    let wrong = toml::read(text).unwrap_err();
    let (line, column) = wrong.place(text);
    format!("{line}:{column}: {}", wrong.explain)
}

const WHOLE: &str = r#"
grace = "10s"
colour = "never"
ascii = true
protect = ["postgres", "my app"]
pager = ""

[columns]
ports = ["port", "Name"]

[alias]
dev = "free :3000 --yes"
"#;

#[test]
fn a_file_sets_what_it_names() {
    let settings = read(WHOLE, &[]);
    assert_eq!(settings.text("grace"), Some("10s"));
    assert_eq!(settings.text("color"), Some("never"));
    assert_eq!(settings.text("pager"), Some(""));
    assert_eq!(settings.text("timeout"), None);
    assert!(settings.flag("ascii"));
    assert_eq!(settings.list("protect"), ["postgres", "my app"]);
    assert_eq!(settings.list("columns.ports"), ["port", "name"]);
    assert_eq!(settings.alias("dev").unwrap(), ["free", ":3000", "--yes"]);
    assert_eq!(settings.alias("prod"), None);
    assert_eq!(settings.aliases().collect::<Vec<_>>(), ["dev"]);
}

#[test]
fn the_environment_comes_before_the_file() {
    let variables = [
        ("PROC_GRACE", "1s"),
        ("PROC_COLOUR", "always"),
        ("PROC_ASCII", "no"),
        ("PROC_PROTECT", "redis, nginx"),
        ("PROC_COLUMNS_PORTS", "pid"),
        ("PROC_TIMEOUT", ""),
    ];
    let settings = read(WHOLE, &variables);
    assert_eq!(settings.text("grace"), Some("1s"));
    assert!(!settings.is_from_file("grace") && settings.is_from_file("pager"));
    assert_eq!(settings.text("color"), Some("always"));
    assert!(!settings.flag("ascii"));
    assert_eq!(settings.list("protect"), ["redis", "nginx"]);
    assert_eq!(settings.list("columns.ports"), ["pid"]);
    assert_eq!(settings.text("timeout"), None);
}

#[test]
fn every_key_is_told_with_its_value_and_origin() {
    let settings = read(WHOLE, &[("PROC_GRACE", "1s")]);
    let report = settings.report();
    let told: Vec<(&str, Origin, Option<&str>)> =
        report.settings.iter().map(|s| (s.key.as_str(), s.origin, s.at.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("grace", Origin::Environment, Some("PROC_GRACE")),
            ("timeout", Origin::Default, None),
            ("color", Origin::File, Some("line 3")),
            ("ascii", Origin::File, Some("line 4")),
            ("hyperlinks", Origin::Default, None),
            ("pager", Origin::File, Some("line 6")),
            ("protect", Origin::File, Some("line 5")),
            ("columns.ports", Origin::File, Some("line 9")),
            ("alias.dev", Origin::File, Some("line 12")),
        ]
    );
}

#[test]
fn what_is_wrong_is_one_sentence_with_its_place() {
    for (text, want) in [
        ("gracee = \"5s\"", "1:1: `gracee` is not a setting; did you mean `grace`?"),
        ("\n  Grace = \"5s\"", "2:3: `Grace` is not a setting; did you mean `grace`?"),
        (
            "[ports]\nx = 1",
            "1:2: `ports` is not a setting; there are grace, timeout, color, ascii, hyperlinks, \
             pager, protect, columns, alias",
        ),
        ("grace = 5", "1:9: grace: `5` has no unit; write `5s` for seconds"),
        ("grace = true", "1:9: grace is a duration such as \"5s\""),
        ("grace = 1979-05-27", "1:9: grace has a value of a kind that no setting has"),
        ("# ä\ncolor = 'red'", "2:9: color is one of \"auto\", \"always\", \"never\""),
        ("ascii = \"yes\"", "1:9: ascii is true or false"),
        ("protect = \"postgres\"", "1:11: protect is a list such as [\"postgres\"]"),
        ("protect = [\"\"]", "1:11: protect has an empty name"),
        ("pager = \"less '\"", "1:9: pager: a ' is not closed"),
        ("color = \"auto\"\ncolour = \"auto\"", "2:1: color is set twice"),
        ("columns = 1", "1:11: columns is a table: `[columns]` on a line of its own"),
        ("[columns]\nports = 3.5", "2:9: columns are a list such as [\"port\", \"name\"]"),
        (
            "[alias]\nfree = \"kill\"",
            "2:1: `free` is a command, and an alias does not stand in for one",
        ),
        (
            "[alias]\n\":80\" = \"kill\"",
            "2:1: `:80` cannot be typed as a command: use letters and `-`",
        ),
        ("[alias]\na = \"\"", "2:1: alias a stands for nothing"),
        ("[alias]\na = [\"b\"]", "2:5: an alias is a text such as \"free :3000 --yes\""),
        (
            "\"a\\u001b[2J\" = 1",
            "1:1: `a\\x1b[2J` is not a setting; there are grace, timeout, color, ascii, hyperlinks, pager, protect, columns, alias",
        ),
    ] {
        assert_eq!(wrong(text), want);
    }
    assert!(wrong("grace = ").starts_with("1:9: not TOML: "), "{}", wrong("grace = "));
    assert!(wrong("grace = \"1s\"\ngrace = \"2s\"").starts_with("2:1: not TOML: "));
    assert!(
        wrong("[columns]\nports = [\"prt\"]").contains("`prt` is not a column of `proc ports`")
    );
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let refused = |name: &'static str, value: &'static str| {
        keys::from_environment(&|asked: &str| (asked == name).then(|| value.into())).unwrap_err()
    };
    assert_eq!(
        refused("PROC_GRACE", "5"),
        "PROC_GRACE: grace: `5` has no unit; write `5s` for seconds"
    );
    assert_eq!(refused("PROC_ASCII", "maybe"), "PROC_ASCII: ascii is true or false");
    assert!(
        refused("PROC_COLUMNS_PORTS", "x").starts_with("PROC_COLUMNS_PORTS: `x` is not a column")
    );
}

#[test]
fn the_example_is_a_file_that_sets_everything() {
    let text = example();
    assert_eq!(toml::read(&text).unwrap(), []);
    let assignments: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect();
    let set = toml::read(&assignments).unwrap();
    for key in KEYS {
        assert!(set.iter().any(|setting| setting.key == key.name), "{} in\n{text}", key.name);
    }
    assert!(set.iter().any(|setting| setting.key == "columns.ports"));
    assert!(set.iter().any(|setting| setting.key == "alias.dev"));
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let missing = Path::new("/nonexistent/config.toml");
    assert_eq!(from_file(missing, false, &|_| None), Ok(Vec::new()));
    let text = from_file(missing, true, &|_| None).unwrap_err();
    assert!(text.starts_with("cannot read /nonexistent/config.toml: "), "{text}");
    #[cfg(unix)]
    assert!(text.ends_with(": no such file or directory"), "{text}");
    #[cfg(unix)]
    {
        assert!(from_file(Path::new("/"), true, &|_| None).is_err());
        assert!(
            from_file(Path::new("/dev/zero"), true, &|_| None)
                .unwrap_err()
                .contains("larger than 1 MiB")
        );
    }
}
