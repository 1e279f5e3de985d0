//! `probecause manual`: generates man pages and shell completions from the definitions of
//! the commands, so that the generated files always agree with `--help`.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit, Terminal, print};

/// Arguments of `manual`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the completions for this shell.
    #[arg(long, value_name = "SHELL", conflicts_with = "output")]
    completions: Option<Shell>,
    /// Write all man pages, and the completions for bash, zsh and fish, to this directory.
    #[arg(long, value_name = "DIR", required_unless_present = "completions")]
    output: Option<PathBuf>,
}

/// Common shells, for which `--output` writes completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Runs `probecause manual`.
///
/// # Errors
/// Returns an error if a file or standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    if let Some(shell) = args.completions {
        print(&completions(shell))?;
    }
    if let Some(directory) = &args.output {
        write_all(directory)
            .map_err(|error| format!("cannot write to {}: {error}", directory.display()))?;
    }
    Ok(Exit::Fine)
}

fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "probecause", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn write_all(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)?;
    for shell in SHELLS {
        std::fs::write(directory.join(file_name(shell)), completions(shell))?;
    }
    Ok(())
}

/// Returns the file name under which a shell finds the completions of `probecause`.
fn file_name(shell: Shell) -> &'static str {
    match shell {
        Shell::Zsh => "_probecause",
        Shell::Fish => "probecause.fish",
        _ => "probecause.bash",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_man_page_and_every_shell_has_completions() {
        let directory = tempfile::tempdir().unwrap();
        write_all(directory.path()).unwrap();
        for (name, part) in [
            ("probecause.1", "names the probable cause"),
            ("probecause-run.1", "Run the daemon"),
            ("probecause-alarms-plan.1", "alarms"),
            ("probecause.bash", "complete -F _probecause"),
            ("_probecause", "#compdef probecause"),
            ("probecause.fish", "complete -c probecause"),
        ] {
            let text = std::fs::read_to_string(directory.path().join(name)).unwrap();
            assert!(text.contains(part), "{name}:\n{text}");
        }
    }
}
