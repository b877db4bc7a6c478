//! Prints the state machines: `sql` for the migration that fills them in, `typescript` for the window.

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("sql") => print!("{}", domain::states::sql_rows()),
        Some("typescript") => print!("{}", domain::states::typescript()),
        other => {
            eprintln!("{other:?} is not a kind of output: write `sql` or `typescript`");
            std::process::exit(2);
        }
    }
}
