//! One transcript in everything that mails, logs, chats and documents make of it.

use probecause::domain::transcript;

use super::folder;

/// What stands before each line.
const PREFIXES: &[&str] = &[
    "// ",
    "# ",
    "- ",
    "| ",
    "\u{2502} ",
    ">> ",
    ">",
    ">>",
    "  > ",
    "> > > ",
    "stderr | ",
    "2024/05/20 04:44:13 ",
    "[12:01:02] ",
    "I0520 04:44:13.123456       1 main.go:12] ",
    "(env) ",
    "E   ",
    "\t\t",
    "remote: ",
    "[pod/web-0/app] ",
    "May  5 04:44:13 ip-10-0-0-1 curl[77]: ",
    "2024-05-20 04:44:13,123 - INFO - ",
    "stdout: ",
    "08:44 < bob> ",
    "  \u{2502}   ",
    "*** ",
    "04:44:13.1 [main] DEBUG o.a.h - ",
    "01. ",
    "curl> ",
    "[INFO]  ",
    "::error:: ",
    "msg: ",
];

/// What stands before and after the text, and the indentation of its lines.
const BLOCKS: &[(&str, &str, &str)] = &[
    (
        "We call it and it fails.\n\n",
        "",
        "\nWhy? The error: 503 is strange.\n",
    ),
    ("1. First:\n\n   ```\n", "   ", "   ```\n2. Next\n"),
    ("> I see\n>\n> ```console\n", "> ", "> ```\nwhat now?\n"),
    ("bob  9:41 AM\n```", "", "```\n"),
    ("{noformat}\n", "", "{noformat}\n"),
    ("{code:bash}\n", "", "{code}\n"),
    ("[code]\n", "", "[/code]\n"),
    ("~~~~text\n", "", "~~~~\n"),
    ("Output:\n\n", "        ", "\nbye\n"),
    (
        "<details><summary>out</summary>\n\n```\n",
        "",
        "```\n</details>\n\nThanks! error: maybe timeout?\n",
    ),
    ("\u{feff}", "", ""),
];

/// The same response as curl shows it with `-v`, `-i` and `--trace-ascii`.
fn originals() -> [String; 3] {
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder("field").join(name)).unwrap();
        text.replace('\r', "")
    };
    let verbose = read("36-split.txt");
    let included: Vec<&str> = verbose
        .lines()
        .filter_map(|line| {
            line.strip_prefix("< ")
                .or_else(|| line.starts_with("{\"").then_some(line))
        })
        .map(str::trim_end)
        .collect();
    [included.join("\n") + "\n", verbose, read("36-trace.txt")]
}

fn each(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| change(at, line) + "\n").collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Every form of a text, with its name.
fn forms(text: &str) -> Vec<(String, String)> {
    let mut forms: Vec<(String, String)> = PREFIXES
        .iter()
        .map(|prefix| {
            (
                format!("{prefix:?}"),
                each(text, |_, line| format!("{prefix}{line}")),
            )
        })
        .collect();
    forms.extend(BLOCKS.iter().map(|(before, indent, after)| {
        let text = each(text, |_, line| format!("{indent}{line}"));
        (format!("{before:?}"), format!("{before}{text}{after}"))
    }));
    let html = format!(
        "<p>x</p><pre class=\"a\"><code>{}</code></pre><p>bye</p>",
        escaped(text)
    );
    let log = |_, line: &str| {
        serde_json::json!({ "log": format!("{line}\n"), "stream": "stderr", "time": "x" })
            .to_string()
    };
    forms.extend([
        (
            "numbers".to_owned(),
            each(text, |at, line| format!("{:4}\t{line}", at + 1)),
        ),
        ("empty lines".to_owned(), text.replace('\n', "\n\n")),
        ("trailing blanks".to_owned(), text.replace('\n', "   \n")),
        ("CRLF".to_owned(), text.replace('\n', "\r\n")),
        ("HTML".to_owned(), html),
        (
            "JSON".to_owned(),
            serde_json::json!({ "stdout": text }).to_string(),
        ),
        ("JSON log".to_owned(), each(text, log)),
        (
            "colors".to_owned(),
            each(text, |_, line| format!("\x1b[36m{line}\x1b[0m")),
        ),
    ]);
    forms
}

#[test]
fn every_form_of_a_transcript_gives_the_same_response() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for original in originals() {
        let expected = transcript::read(&original).transcripts;
        assert_eq!(expected.len(), 1, "{original}");
        let expected = expected[0].observation.response.clone().unwrap();
        assert_eq!(
            (expected.status, expected.headers.len()),
            (503, 5),
            "{original}"
        );
        for (name, text) in forms(&original) {
            let found = transcript::read(&text).transcripts;
            let response = found
                .first()
                .and_then(|one| one.observation.response.as_ref());
            let same = response.is_some_and(|response| {
                response.headers == expected.headers
                    && response.status == expected.status
                    && response.body == expected.body
            });
            if found.len() != 1 || !same {
                wrong.push(format!("{name}: {found:?}\n{text}"));
            }
            count += 1;
        }
    }
    assert!(count > 100 && wrong.is_empty(), "{}", wrong.join("\n"));
}
