//! `proc tree` for people: each process on a line below its parent.

use proc_core::report::{ProcessReport, ProcessesReport};

use super::page::{Fit, Line, Page, Role};
use super::{processes, words};
use crate::terminal::View;

/// Deeper branches are no longer drawn: their depth is told by a number. A chain of thousands would
/// be a wall of lines.
const DRAWN: usize = 40;

/// The tree as text.
pub fn text(report: &ProcessesReport, view: &View) -> String {
    let mut page = Page::default();
    if let Some(explain) = &report.explain {
        page.push(Line::new(0).text(explain.clone()));
    }
    let more = has_younger(report);
    // Whether a line goes down on each level above.
    let mut open: Vec<bool> = Vec::new();
    for (process, more) in report.processes.iter().zip(&more) {
        let depth = process.depth.unwrap_or(0) as usize;
        open.resize(depth.min(DRAWN), false);
        page.push(line(process, &branch(&open, depth, *more, view.ascii)));
        if depth < DRAWN {
            open.push(*more && depth > 0);
        }
    }
    processes::after(&mut page, report);
    page.render(view)
}

/// Of each process, whether a younger sibling follows.
fn has_younger(report: &ProcessesReport) -> Vec<bool> {
    let mut seen: Vec<bool> = Vec::new();
    let mut more = vec![false; report.processes.len()];
    for (at, process) in report.processes.iter().enumerate().rev() {
        let depth = process.depth.unwrap_or(0) as usize;
        seen.resize(depth + 1, false);
        more[at] = std::mem::replace(&mut seen[depth], true);
    }
    more
}

fn branch(open: &[bool], depth: usize, more: bool, ascii: bool) -> String {
    let (down, fork, last) =
        if ascii { ("|  ", "|- ", "`- ") } else { ("│  ", "├─ ", "└─ ") };
    if depth == 0 {
        return String::new();
    }
    let above = open.iter().skip(1).map(|open| if *open { down } else { "   " });
    let mut text: String = above.collect();
    if depth >= DRAWN {
        text.push_str(&format!("({depth} deep) "));
    }
    text.push_str(if more { fork } else { last });
    text
}

fn line(process: &ProcessReport, branch: &str) -> Line {
    let mut line = Line::new(0).fit(Fit::Cut).with(Role::Dim, branch);
    line.push(Role::Plain, format!("{} ", process.pid));
    let role = if process.context { Role::Dim } else { Role::Strong };
    line.push(role, process.name.clone());
    let state = processes::state(process.state);
    if !state.is_empty() {
        line.push(Role::Lingering, format!(" {state}"));
    }
    if let Some(cpu) = process.cpu_percent {
        line.push(Role::Plain, format!(" {cpu} %"));
    }
    let ports = processes::ports(process.ports.as_deref().unwrap_or_default());
    if !ports.text.is_empty() {
        line.push(ports.role, format!(" :{}", ports.text));
    }
    let command = words::command(process);
    if !process.argv.is_empty() && command != process.name {
        line.push(Role::Dim, format!("  {command}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn drawn(depths: &[u32], view: &View) -> String {
        let mut report = fixture::processes();
        report.processes = depths
            .iter()
            .zip(1..)
            .map(|(depth, pid)| {
                let mut process = fixture::process(pid, 0, "sh", &[]);
                process.depth = Some(*depth);
                process
            })
            .collect();
        text(&report, view)
    }

    #[test]
    fn lines_lead_to_the_parent() {
        assert_eq!(
            drawn(&[0, 1, 2, 2, 1, 2, 0, 1], &View::plain()),
            "1 sh\n\
             ├─ 2 sh\n\
             │  ├─ 3 sh\n\
             │  └─ 4 sh\n\
             └─ 5 sh\n\
             \x20  └─ 6 sh\n\
             7 sh\n\
             └─ 8 sh\n"
        );
        let ascii = View { ascii: true, ..View::plain() };
        assert_eq!(drawn(&[0, 1, 2, 1], &ascii), "1 sh\n|- 2 sh\n|  `- 3 sh\n`- 4 sh\n");
    }

    #[test]
    fn a_very_deep_branch_is_a_number() {
        let depths: Vec<u32> = (0..20_000).collect();
        let page = drawn(&depths, &View::plain());
        assert!(page.lines().all(|line| line.chars().count() < 200));
        assert!(page.ends_with("(19999 deep) └─ 20000 sh\n"), "{}", &page[page.len() - 200..]);
    }

    #[test]
    fn a_line_says_what_matters() {
        let mut report = fixture::processes();
        report.processes.remove(0);
        report.processes[0].depth = Some(0);
        assert_eq!(
            text(&report, &View::plain()),
            "4242 node stopped :3000, 3001 everybody, 9229 this machine  node server.js\n"
        );
        let narrow = View { width: Some(30), ..View::plain() };
        assert_eq!(text(&report, &narrow), "4242 node stopped :3000, 3001…\n");
    }
}
