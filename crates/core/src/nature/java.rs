//! What a Java machine runs, read from its arguments as the launcher reads them (java(1)).

/// The main class, the path of the jar, or the module, that `java` was told to run.
pub(super) fn main_class(argv: &[String]) -> Option<&str> {
    let mut arguments = argv.iter().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-jar" => return arguments.next().map(String::as_str),
            // `MODULE/CLASS`.
            "-m" | "--module" => return arguments.next().map(|module| class_of(module)),
            "-cp"
            | "-classpath"
            | "--class-path"
            | "-p"
            | "--module-path"
            | "--upgrade-module-path"
            | "--add-modules"
            | "--limit-modules"
            | "--add-opens"
            | "--add-exports"
            | "--add-reads"
            | "--patch-module"
            | "--enable-native-access"
            | "--describe-module"
            | "--source" => {
                arguments.next();
            }
            option if option.starts_with("--module=") => {
                return Some(class_of(&option["--module=".len()..]));
            }
            option if option.starts_with('-') || option.starts_with('@') => {}
            class => return Some(class),
        }
    }
    None
}

fn class_of(module: &str) -> &str {
    module.rsplit('/').next().unwrap_or(module)
}
