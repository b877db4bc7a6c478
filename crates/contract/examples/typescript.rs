//! Writes the TypeScript of the contract into the folder given as the only argument.
fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "ui/src/contract".into());
    std::fs::create_dir_all(&folder)?;
    for (name, text) in countersign_contract::files() {
        std::fs::write(format!("{folder}/{name}"), text)?;
    }
    Ok(())
}
