//! The work tree of git that a directory is in, found as git finds it: upwards, by a `.git` that is
//! a repository or names one (gitrepository-layout(5)). git itself is not asked: it would have to
//! be there, and it runs what a repository's settings say.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use rustix::fs::FileType;

use crate::host::WorkTrees;
#[cfg(target_os = "linux")]
use crate::sys::at_once::{self, Unsure};

/// The work trees of all these directories. Where that is not known at once a thread of its own
/// asks, so that one on a dead file server costs the limit and no more; the kernel lets go of it
/// when the program ends.
pub(crate) fn of_all(directories: &[String], limit: Duration) -> WorkTrees {
    let homes = Homes::known();
    #[cfg(target_os = "linux")]
    if let Ok(known) = known_at_once(directories, &homes) {
        return known;
    }
    ask_all(directories, limit, move |directory| work_tree(directory, &homes).map(as_it_is_called))
}

/// What the kernel has at hand, as only Linux tells.
#[cfg(target_os = "linux")]
fn known_at_once(directories: &[String], homes: &Homes) -> Result<WorkTrees, Unsure> {
    let mut answer = WorkTrees::default();
    for directory in directories {
        if directory.ends_with(GONE) {
            return Err(Unsure);
        }
        if let Some(tree) = tree_above(Path::new(directory), homes, kind_at_once)? {
            answer.found.insert(directory.clone(), tree.to_string_lossy().into_owned());
        }
    }
    Ok(answer)
}

/// One name of each directory, for comparisons: Windows' own paths say in any case, and over junctions,
/// where a process works.
fn as_it_is_called(tree: PathBuf) -> PathBuf {
    #[cfg(windows)]
    if let Some(real) = tree.canonicalize().ok().as_deref().and_then(Path::to_str) {
        return PathBuf::from(&*crate::windows::path::plain(real));
    }
    tree
}

/// What the kernel adds to a directory that is gone (d_path in fs/d_path.c).
const GONE: &str = " (deleted)";

fn ask_all(
    directories: &[String],
    limit: Duration,
    ask: impl Fn(&str) -> Option<PathBuf> + Send + 'static,
) -> WorkTrees {
    let mut answer = WorkTrees::default();
    if directories.is_empty() {
        return answer;
    }
    let (teller, told) = mpsc::channel();
    let wanted = directories.to_vec();
    let asking = std::thread::Builder::new().name("work-tree".to_owned()).spawn(move || {
        for directory in wanted {
            if teller.send(ask(&directory)).is_err() {
                return;
            }
        }
    });
    if asking.is_err() {
        return answer;
    }
    let start = Instant::now();
    let mut found = BTreeMap::new();
    for directory in directories {
        let left = limit.saturating_sub(start.elapsed());
        let Ok(tree) = told.recv_timeout(left) else {
            answer.late = Some(directory.clone());
            break;
        };
        if let Some(tree) = tree {
            found.insert(directory.clone(), tree.to_string_lossy().into_owned());
        }
    }
    answer.found = found;
    answer
}

/// Directories that are people's homes. A repository there holds somebody's settings: it would
/// make one project of everything they have.
struct Homes(Option<PathBuf>);

impl Homes {
    fn known() -> Self {
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        Self(std::env::var_os(variable).map(PathBuf::from).filter(|home| home.is_absolute()))
    }

    fn contains(&self, place: &Path) -> bool {
        let parent = place.parent();
        parent.is_none()
            || place == Path::new("/root")
            || parent == Some(Path::new("/home"))
            || parent == Some(Path::new("/Users"))
            || cfg!(windows) && parent.is_some_and(is_users)
            || self.0.as_deref() == Some(place)
    }
}

/// Whether this is `C:\Users`, on whatever drive.
fn is_users(place: &Path) -> bool {
    let at_root = place.parent().is_some_and(|drive| drive.parent().is_none());
    at_root && place.file_name().is_some_and(|name| name.eq_ignore_ascii_case("Users"))
}

/// What a `.git` makes of the directory it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A work tree: the main one, or a linked one (git-worktree(1)), which is a project by itself.
    Whole,
    /// A submodule (gitsubmodules(7)): part of what it is in.
    Part,
}

fn work_tree(text: &str, homes: &Homes) -> Option<PathBuf> {
    let mut directory = Path::new(text);
    // The kernel's mark of a directory that is gone is also a name that a directory may have.
    if let Some(gone) = text.strip_suffix(GONE)
        && directory.symlink_metadata().is_err()
    {
        directory = Path::new(gone);
    }
    let Ok(tree) = tree_above(directory, homes, |place| Ok::<_, Infallible>(kind(place)));
    tree
}

fn tree_above<E>(
    directory: &Path,
    homes: &Homes,
    kind: impl Fn(&Path) -> Result<Option<Kind>, E>,
) -> Result<Option<PathBuf>, E> {
    if !directory.is_absolute() {
        return Ok(None);
    }
    let mut part = None;
    for place in directory.ancestors().filter(|place| !homes.contains(place)) {
        match kind(place)? {
            Some(Kind::Whole) => return Ok(Some(place.to_owned())),
            Some(Kind::Part) => part = part.or_else(|| Some(place.to_owned())),
            None => {}
        }
    }
    Ok(part)
}

/// As [`kind`], of what the kernel has at hand. A file would have to be read.
#[cfg(target_os = "linux")]
fn kind_at_once(place: &Path) -> Result<Option<Kind>, Unsure> {
    let git = place.join(".git");
    match at_once::kind(&git)? {
        Some(FileType::RegularFile) => Err(Unsure),
        Some(FileType::Directory) => Ok(at_once::kind(&git.join("HEAD"))?.map(|_| Kind::Whole)),
        _ => Ok(None),
    }
}

fn kind(place: &Path) -> Option<Kind> {
    let git = place.join(".git");
    let facts = git.metadata().ok()?;
    if facts.is_dir() {
        // An empty directory of that name is none.
        return git.join("HEAD").symlink_metadata().ok().map(|_| Kind::Whole);
    }
    if !facts.is_file() {
        return None;
    }
    let text = first_bytes(&git)?;
    let repository = text.strip_prefix(b"gitdir:")?.trim_ascii();
    Some(kind_of_link(Path::new(&*String::from_utf8_lossy(repository))))
}

/// A linked work tree's repository is `…/worktrees/NAME`, a submodule's `…/modules/NAME`, where
/// the name may have slashes. Anything else was set apart by `--separate-git-dir`.
fn kind_of_link(repository: &Path) -> Kind {
    let above = repository.parent().and_then(Path::file_name);
    let module = Component::Normal(OsStr::new("modules"));
    match above == Some(OsStr::new("worktrees")) || !repository.components().any(|it| it == module)
    {
        true => Kind::Whole,
        false => Kind::Part,
    }
}

/// The beginning of a file, one page at most. Not waiting for a FIFO that has taken its place.
fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).ok()?,
    );
    let file = options.open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(4096).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory that is removed with the test.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let place = std::env::temp_dir().join(format!("proc-{name}-{}", std::process::id()));
            fs::create_dir_all(&place).unwrap();
            Self(place.canonicalize().unwrap())
        }

        fn directory(&self, path: &str) -> String {
            let path = self.0.join(path);
            fs::create_dir_all(&path).unwrap();
            path.to_str().unwrap().to_owned()
        }

        fn file(&self, path: &str, text: &str) {
            self.directory(Path::new(path).parent().unwrap().to_str().unwrap());
            fs::write(self.0.join(path), text).unwrap();
        }

        fn tree(&self, directory: &str) -> Option<String> {
            let home = Homes(Some(self.0.join("home")));
            let tree = work_tree(self.0.join(directory).to_str().unwrap(), &home)?;
            Some(tree.strip_prefix(&self.0).unwrap().to_str().unwrap().replace('\\', "/"))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn work_trees_as_git_has_them() {
        let place = Place::new("work-tree");
        place.file("home/.git/HEAD", "ref: refs/heads/main\n");
        place.file("home/shop/.git/HEAD", "ref: refs/heads/main\n");
        place.directory("home/shop/web/src");
        place.directory("home/notes");
        place.directory("home/shop/odd/.git");
        place.file("home/shop/broken/.git", "nothing that git wrote\n");
        place.file("home/shop/lib/.git", "gitdir: ../.git/modules/libs/lib\n");
        place.file("home/shop/lib/deep/.git", "gitdir: ../../.git/modules/lib/modules/deep");
        place.file("home/wt/.git", "gitdir: /x/shop/.git/worktrees/wt\n");
        place.file("home/sub-wt/.git", "gitdir: /x/shop/.git/modules/lib/worktrees/sub-wt\n");
        place.file("home/apart/.git", "gitdir: /x/apart.git\n");
        place.file("home/dotvim/.git", "gitdir: ../.git/modules/dotvim\n");
        place.directory("home/shop/a (deleted)");
        for (directory, tree) in [
            ("home/shop", Some("home/shop")),
            ("home/shop/web/src", Some("home/shop")),
            // An empty .git, or one of other words, is none.
            ("home/shop/odd", Some("home/shop")),
            ("home/shop/broken", Some("home/shop")),
            // Submodules are part of what they are in, however deep.
            ("home/shop/lib/src", Some("home/shop")),
            ("home/shop/lib/deep", Some("home/shop")),
            ("home/wt/src", Some("home/wt")),
            ("home/sub-wt", Some("home/sub-wt")),
            ("home/apart", Some("home/apart")),
            // The repository of settings at home makes no project, and its submodules are theirs.
            ("home", None),
            ("home/notes", None),
            ("home/dotvim", Some("home/dotvim")),
            // Gone, and only named as if.
            ("home/shop/dist (deleted)", Some("home/shop")),
            ("home/shop (deleted)", Some("home/shop")),
            ("home/shop/a (deleted)", Some("home/shop")),
            ("home/gone (deleted)", None),
            ("", None),
        ] {
            assert_eq!(place.tree(directory).as_deref(), tree, "{directory}");
        }
    }

    #[test]
    fn homes() {
        let homes = Homes(Some(PathBuf::from("/srv/me")));
        for (place, home) in [
            ("/", true),
            ("/root", true),
            ("/home/me", true),
            ("/Users/me", true),
            ("/srv/me", true),
            ("/home/me/shop", false),
            ("/home", false),
            ("/srv", false),
            #[cfg(windows)]
            (r"D:\users\me", true),
            #[cfg(windows)]
            (r"C:\Users\me\shop", false),
            #[cfg(windows)]
            (r"C:\", true),
        ] {
            assert_eq!(homes.contains(Path::new(place)), home, "{place}");
        }
    }

    // macOS makes no FIFO by that call.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_fifo_in_the_place_of_a_repository_is_none() {
        let place = Place::new("work-tree-fifo");
        place.directory("a");
        let fifo = place.0.join("a/.git");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, mode, 0).unwrap();
        assert_eq!(place.tree("a"), None);
        // As if it came just after the look at what it is.
        assert_eq!(first_bytes(&fifo), Some(Vec::new()));
    }

    #[test]
    fn a_directory_that_never_answers_costs_the_limit() {
        let wanted = ["/a", "/dead", "/b"].map(str::to_owned);
        let answer = ask_all(&wanted, Duration::from_millis(50), |directory| {
            loop {
                match directory {
                    "/dead" => std::thread::park(),
                    other => return Some(PathBuf::from(other)),
                }
            }
        });
        assert_eq!(answer.late.as_deref(), Some("/dead"));
        assert_eq!(answer.found.into_keys().collect::<Vec<_>>(), ["/a"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_known_at_once_is_the_same() {
        let place = Place::new("work-tree-at-once");
        place.file("a/.git/HEAD", "x");
        place.directory("b/.git");
        place.file("c/.git", "gitdir: /x/shop/.git/worktrees/c\n");
        place.directory("d");
        let home = Homes(None);
        for name in ["a", "b", "c", "d", "a/e", "gone"] {
            let directory = place.0.join(name).to_str().unwrap().to_owned();
            let truth = work_tree(&directory, &home);
            if let Ok(answer) = known_at_once(std::slice::from_ref(&directory), &home) {
                let told = answer.found.get(&directory).map(PathBuf::from);
                assert_eq!(told, truth, "{name}");
            }
        }
        // Those are never told without reading or looking twice.
        let linked = place.0.join("c").to_str().unwrap().to_owned();
        assert_eq!(known_at_once(&[linked], &home), Err(Unsure));
        assert_eq!(known_at_once(&["/a (deleted)".to_owned()], &home), Err(Unsure));
    }

    #[test]
    fn all_at_once_in_their_order() {
        let place = Place::new("work-tree-all");
        place.file("a/.git/HEAD", "x");
        let wanted = [place.directory("none"), place.directory("a/b"), "relative".to_owned()];
        let answer = of_all(&wanted, Duration::from_secs(60));
        assert_eq!(answer.late, None);
        let a = as_it_is_called(PathBuf::from(place.directory("a")));
        let a = a.to_str().unwrap().to_owned();
        assert_eq!(answer.found.into_iter().collect::<Vec<_>>(), [(wanted[1].clone(), a)]);
        assert_eq!(of_all(&[], Duration::ZERO), WorkTrees::default());
    }
}
