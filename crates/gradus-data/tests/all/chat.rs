//! Chat templates: what `transformers` renders, and what strangers may write.

use gradus_data::text::{ChatExtra, ChatMessage, ChatTemplate, GenerationPrompt, TextError, Tokenizer};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const GOLDEN: &str = include_str!("../../../../golden/chat_templates.json");

#[derive(Deserialize)]
struct Golden<'a> {
    templates: BTreeMap<String, Template>,
    #[serde(borrow)]
    cases: Vec<Case<'a>>,
}

#[derive(Deserialize)]
struct Template {
    source: String,
    special: serde_json::Value,
}

#[derive(Deserialize)]
struct Case<'a> {
    name: String,
    template: String,
    messages: Vec<ChatMessage>,
    add_generation_prompt: bool,
    #[serde(borrow)]
    extra: BTreeMap<String, &'a RawValue>,
    expected: Option<String>,
    refused: Option<String>,
}

/// A tokenizer that has these special tokens, and nothing else worth having.
fn tokenizer(template: &Template) -> Tokenizer {
    let special: Vec<String> = template
        .special
        .as_object()
        .unwrap()
        .values()
        .map(|token| token.as_str().unwrap().to_owned())
        .collect();
    let mut vocabulary = serde_json::Map::new();
    for token in special {
        let id = vocabulary.len();
        vocabulary.entry(token).or_insert(id.into());
    }
    let json = serde_json::json!({
        "version": "1.0", "added_tokens": [],
        "model": { "type": "BPE", "vocab": vocabulary, "merges": [] },
    });
    let mut config = template.special.clone();
    config["chat_template"] = template.source.as_str().into();
    Tokenizer::from_json(json.to_string(), Some(&config.to_string())).unwrap()
}

fn prompt(add: bool) -> GenerationPrompt {
    if add {
        GenerationPrompt::Add
    } else {
        GenerationPrompt::Omit
    }
}

#[test]
fn renders_what_transformers_renders() {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    let mut failures = Vec::new();
    for case in &golden.cases {
        let template = tokenizer(&golden.templates[&case.template])
            .chat_template()
            .unwrap()
            .clone();
        let mut extra = ChatExtra::none();
        for (name, value) in &case.extra {
            extra = extra.with_json(name, value.get()).unwrap();
        }
        let got = template.render(&case.messages, prompt(case.add_generation_prompt), &extra);
        let right = match (&got, &case.expected, &case.refused) {
            (Ok(text), Some(expected), None) => text == expected,
            (Err(TextError::TemplateRefused { message }), None, Some(refused)) => message == refused,
            (Err(TextError::Render { .. }), None, None) => true,
            _ => false,
        };
        if !right {
            failures.push(format!(
                "{}:\n{got:?}\nnot\n{:?}{:?}",
                case.name, case.expected, case.refused
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {}\n{}",
        failures.len(),
        golden.cases.len(),
        failures.join("\n\n")
    );
    assert!(golden.cases.len() > 150);
}

fn render(source: &str) -> Result<String, TextError> {
    let template = ChatTemplate::new(source, &Default::default())?;
    template.render(
        &[ChatMessage::new("user", "Hi")],
        GenerationPrompt::Add,
        &ChatExtra::none(),
    )
}

#[test]
fn without_a_template_it_is_chatml() {
    let messages = [
        ChatMessage::new("system", "Be kind."),
        ChatMessage::new("user", "Hi\n"),
    ];
    let text = ChatTemplate::chatml()
        .render(&messages, GenerationPrompt::Add, &ChatExtra::none())
        .unwrap();
    assert_eq!(
        text,
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\n"
    );
    let text = ChatTemplate::chatml()
        .render(&messages[1..], GenerationPrompt::Omit, &ChatExtra::none())
        .unwrap();
    assert_eq!(text, "<|im_start|>user\nHi\n<|im_end|>\n");
}

#[test]
fn templates_of_strangers_end() {
    for source in [
        "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set s = namespace(x='ab') %}{% for i in range(1000) %}{% set s.x = s.x + s.x %}{% endfor %}{{ s.x }}",
        "{% set s = namespace(x=[1]) %}{% for i in range(30) %}{% set s.x = s.x + s.x %}{% endfor %}{{ s.x | tojson }}",
        "{{ 'a' * 10000000000 }}",
        "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
        "{{ [1, 2] | tojson(indent=100000000000) }}",
        "{{ 1 // 0 }}{{ 'x'.nothing() }}",
        "{% include 'other' %}",
        "{{ range(10000000000) | list }}",
        "{{ '%s' | format(messages) | tojson(unknown=1) }}",
        "{{ 'x'.rsplit('') }}",
    ] {
        let got = render(source);
        let ended =
            matches!(&got, Err(TextError::Render { .. })) || got.as_ref().is_ok_and(|text| text.len() < 1000);
        assert!(ended, "{source}: {:?}", got.map(|text| text.len()));
    }
    assert!(matches!(render("{% for %}"), Err(TextError::Template { .. })));
    assert!(
        matches!(render("{{ raise_exception('no!') }}"), Err(TextError::TemplateRefused { message }) if message == "no!")
    );
    assert!(matches!(
        render(&"x".repeat(2 << 20)),
        Err(TextError::TemplateTooLarge { .. })
    ));
    assert!(matches!(
        render(&"{% if true %}".repeat(10_000)),
        Err(TextError::Template { .. })
    ));
    assert!(matches!(
        render(&format!("{{{{ {} }}}}", "(".repeat(100_000))),
        Err(TextError::Template { .. })
    ));
}

#[test]
fn messages_need_a_role() {
    let message = ChatMessage::from_json(r#"{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]}"#).unwrap();
    assert_eq!((message.role(), message.content()), ("user", "ab"));
    for text in [
        "[]",
        "3",
        "{}",
        r#"{"role": 3}"#,
        r#"{"content": "x"}"#,
        r#"{"role": null}"#,
    ] {
        assert!(
            matches!(ChatMessage::from_json(text), Err(TextError::Message { .. })),
            "{text}"
        );
    }
    assert!(matches!(ChatMessage::from_json("{"), Err(TextError::Json { .. })));
    let deep = "[".repeat(100_000);
    assert!(matches!(
        ChatMessage::from_json(&deep),
        Err(TextError::Json { .. })
    ));
}
