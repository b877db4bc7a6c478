//! libFuzzer over the target that `FUZZ_TARGET` names. With `FUZZ_SEEDS=FOLDER` it writes the target's seeds and ends, with
//! `FUZZ_LIST=1` it prints the names of all targets.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use fuzz::{TARGETS, Target, target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("FUZZ_TARGET is {name:?}, which is no target"))
});

fn write_seeds(folder: &Path) -> std::io::Result<()> {
    for (at, seed) in (TARGET.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{at:04}")), seed)?;
    }
    Ok(())
}

libfuzzer_sys::fuzz_target!(
    init: {
        if std::env::var_os("FUZZ_LIST").is_some() {
            println!("{}", TARGETS.map(|target| target.name).join("\n"));
            std::process::exit(0);
        }
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            let code = match write_seeds(Path::new(&folder)) {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("the seeds cannot be written: {error}");
                    1
                }
            };
            std::process::exit(code);
        }
        LazyLock::force(&TARGET);
    },
    |data: &[u8]| {
        (TARGET.run)(data);
    }
);
