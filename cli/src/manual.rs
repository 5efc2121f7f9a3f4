//! What is made of the grammar for shells and for `man`: it cannot tell anything else than `--help` does.

use crate::arguments::Cli;
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;

/// The script by which a shell completes kiln's commands.
pub fn completion(shell: Shell) -> Result<String, String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kiln", &mut script);
    String::from_utf8(script).map_err(|e| format!("the script is not text: {e}"))
}

/// Writes kiln.1 and a page for each command that is shown (kiln-up.1, kiln-image-import.1) into a directory,
/// which is made if it is not there. `Err` is one line for the terminal.
pub fn write_pages(directory: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("failed to write manual pages into {}: {e}", directory.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shown_command_has_a_page_and_is_completed() {
        let place = tempfile::tempdir().expect("a folder");
        write_pages(&place.path().join("man1")).expect("written");
        let scripts: Vec<String> =
            [Shell::Bash, Shell::Zsh, Shell::Fish].map(|shell| completion(shell).expect("made")).into();
        let command = Cli::command();
        let shown: Vec<&str> = command.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name()).collect();
        assert!(shown.len() > 10);
        for name in shown {
            let page = std::fs::read_to_string(place.path().join(format!("man1/kiln-{name}.1"))).expect("a page");
            assert!(page.contains(".SH SYNOPSIS"), "{name}");
            for script in &scripts {
                assert!(script.contains(name), "{name}");
            }
        }
        assert!(!place.path().join("man1/kiln-man.1").exists());
        let main = std::fs::read_to_string(place.path().join("man1/kiln.1")).expect("a page");
        assert!(main.contains("state\\-dir") && main.contains("KILN_STATE_DIR"));
    }
}
