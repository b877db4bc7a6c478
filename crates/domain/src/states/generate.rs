//! The tables as SQL rows and as TypeScript.

use std::fmt::Write as _;

use super::MACHINES;

/// One INSERT of every allowed change into `core.state_transitions`; an empty `from_state` is birth.
#[must_use]
pub fn sql_rows() -> String {
    let rows: Vec<String> = MACHINES
        .iter()
        .flat_map(|machine| {
            std::iter::once(("", machine.initial))
                .chain(machine.transitions.iter().copied())
                .map(move |(from, to)| format!("    ('{}', '{from}', '{to}')", machine.name))
        })
        .collect();
    format!("INSERT INTO core.state_transitions (machine, from_state, to_state) VALUES\n{};\n", rows.join(",\n"))
}

/// The states as TypeScript: a union type and a table of successors per machine.
#[must_use]
pub fn typescript() -> String {
    let mut out = String::from("// Generated from the state machines in Rust; edit them there.\n");
    for machine in MACHINES {
        let type_name = machine.type_name;
        let union: Vec<String> = machine.states.iter().map(|state| format!("\"{state}\"")).collect();
        // Writing to a String cannot fail.
        let _ = write!(out, "\nexport type {type_name} =\n  | {};\n", union.join("\n  | "));
        let constant = format!("{}_TRANSITIONS", machine.name.to_ascii_uppercase());
        let _ = writeln!(out, "\nexport const {constant}: Readonly<Record<{type_name}, readonly {type_name}[]>> = {{");
        for state in machine.states {
            let next: Vec<String> = machine
                .transitions
                .iter()
                .filter(|(from, _)| from == state)
                .map(|(_, to)| format!("\"{to}\""))
                .collect();
            let _ = writeln!(out, "  {state}: [{}],", next.join(", "));
        }
        out.push_str("};\n");
    }
    out
}
