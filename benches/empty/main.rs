//! Nothing: what a process costs before `proc` does anything, for the start-up row of `benches/run`.

fn main() {}
