//! Writing the ports of bays into a configuration, and leaving everything else as it stands.

use super::{Config, ConfigErrors};
use crate::types::{BayName, PortPath};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

/// Why the ports were not written.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    #[error("the configuration is no TOML")]
    Syntax(#[source] toml_edit::TomlError),
    #[error("`bays` is not written with double brackets, [[bays]]")]
    Shape,
    /// Two bays of the file would be in one port, or the like.
    #[error("the configuration would not be valid")]
    Invalid(#[source] ConfigErrors),
}

/// `text` with each bay of `map` in its port: a bay that is there loses its folder, one that is
/// not is added at the end. Comments and all other keys stay.
///
/// What is wrong elsewhere in the configuration stays wrong; only `[[bays]]` has to be right.
///
/// # Errors
/// [`PortsError`]; then nothing is to be written.
pub fn with_ports(text: &str, map: &[(BayName, PortPath)]) -> Result<String, PortsError> {
    let mut document: DocumentMut = text.parse().map_err(PortsError::Syntax)?;
    let bays = document.entry("bays").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let bays = bays.as_array_of_tables_mut().ok_or(PortsError::Shape)?;
    for (name, port) in map {
        let is = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name.as_str());
        let found = bays.iter().position(is);
        let at = match found {
            Some(at) => at,
            None => {
                let mut table = Table::new();
                table.insert("name", value(name.as_str()));
                bays.push(table);
                bays.len() - 1
            }
        };
        let Some(table) = bays.get_mut(at) else { continue };
        table.remove("folder");
        match table.get_mut("port") {
            // Keeps the comment behind the value.
            Some(Item::Value(old)) => {
                let decor = old.decor().clone();
                *old = port.to_string().into();
                *old.decor_mut() = decor;
            }
            Some(_) | None => drop(table.insert("port", value(port.to_string()))),
        }
    }
    let text = document.to_string();
    match Config::parse(&text) {
        Err(errors) if errors.0.iter().any(|error| error.key.starts_with("bays")) => {
            Err(PortsError::Invalid(errors))
        }
        Ok(_) | Err(_) => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: &[(&str, &str)]) -> Vec<(BayName, PortPath)> {
        rows.iter().map(|(bay, port)| (bay.parse().unwrap(), port.parse().unwrap())).collect()
    }

    const BEFORE: &str = "# our dock\n[log]\nlevel = \"info\"  # quiet\n\n# left\n[[bays]]\n\
                          name = \"1\"\nport = \"9-9\" # painted red\nallow_erase = false\n\n\
                          # middle\n[[bays]]\nname = \"2\"\nfolder = \"/media/x\"\n";

    #[test]
    fn ports_are_written_and_comments_stay() {
        let after = with_ports(BEFORE, &map(&[("1", "1-1.1"), ("2", "1-1.2"), ("3", "1-1.3")]));
        assert_eq!(
            after.unwrap(),
            "# our dock\n[log]\nlevel = \"info\"  # quiet\n\n# left\n[[bays]]\nname = \"1\"\n\
             port = \"1-1.1\" # painted red\nallow_erase = false\n\n# middle\n[[bays]]\n\
             name = \"2\"\nport = \"1-1.2\"\n\n[[bays]]\nname = \"3\"\nport = \"1-1.3\"\n"
        );
    }

    #[test]
    fn a_map_that_would_not_be_valid_is_not_written() {
        // Bay 1 keeps 9-9, which bay 2 is to have.
        let error = with_ports(BEFORE, &map(&[("2", "9-9")])).unwrap_err();
        assert!(matches!(error, PortsError::Invalid(_)), "{error:?}");
        for (text, expected) in
            [("bays = [{ name = \"1\" }]", "double brackets"), ("a =", "no TOML")]
        {
            let error = with_ports(text, &map(&[("1", "1-1")])).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn the_manual_takes_ports_and_is_the_manual_still() {
        let after = with_ports(crate::config::DEFAULT_TOML, &map(&[("1", "1-1.1")])).unwrap();
        assert!(after.starts_with(crate::config::DEFAULT_TOML.lines().next().unwrap()));
        assert!(after.contains("[[bays]]\nname = \"1\"\nport = \"1-1.1\"\n"), "{after}");
        let kept = crate::config::DEFAULT_TOML.lines().filter(|line| !after.contains(line)).count();
        assert_eq!(kept, 0, "no line of it is lost");
    }
}
