//! A page parsed as HTML says, without an error, and what every page is held to.

use html5ever::tendril::TendrilSink;
use html5ever::tokenizer::TokenizerOpts;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use super::super::STYLE;

/// Every element that a page may have, and the attributes that it may carry.
const ALLOWED: &[(&str, &[&str])] = &[
    ("html", &["lang"]),
    ("head", &[]),
    ("meta", &["charset", "http-equiv", "name", "content"]),
    ("title", &[]),
    ("style", &[]),
    ("body", &[]),
    ("main", &[]),
    ("header", &["class"]),
    ("section", &[]),
    ("footer", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &["class"]),
    ("p", &["class"]),
    ("div", &["class", "role", "aria-label"]),
    ("dl", &[]),
    ("dt", &[]),
    ("dd", &[]),
    ("ul", &["class"]),
    ("ol", &["class"]),
    ("pre", &[]),
    ("details", &[]),
    ("summary", &[]),
    ("li", &["class"]),
    ("span", &["class"]),
    ("strong", &[]),
    ("b", &[]),
    ("bdi", &[]),
    ("code", &[]),
    ("small", &[]),
    ("i", &["class", "title"]),
    ("table", &[]),
    ("thead", &[]),
    ("tbody", &[]),
    ("tfoot", &[]),
    ("tr", &[]),
    ("td", &[]),
    ("th", &["scope"]),
];

/// The classes that the style knows, and none that a store could name.
const CLASSES: &[&str] = &[
    "pass", "fail", "skip", "rows", "word", "for", "steps", "whole", "note", "pages", "key", "marks", "map", "large",
    "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "tz", "x", "fr", "pm", "lb", "un", "in", "ov", "dm", "w",
];

/// An element of a page.
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// The text in it and in all that it holds.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    fn of(node: &Handle) -> Option<Self> {
        let NodeData::Element { name, attrs, .. } = &node.data else {
            return None;
        };
        let mut element = Self {
            name: name.local.to_string(),
            attributes: attrs.borrow().iter().map(|a| (a.name.local.to_string(), a.value.to_string())).collect(),
            text: String::new(),
            children: Vec::new(),
        };
        for child in node.children.borrow().iter() {
            match &child.data {
                NodeData::Text { contents } => element.text += &contents.borrow(),
                NodeData::Element { .. } => {
                    let child = Self::of(child).unwrap();
                    element.text += &child.text;
                    element.children.push(child);
                }
                _ => panic!("something that is neither an element nor text"),
            }
        }
        Some(element)
    }

    /// This element and all that it holds, in the order of the page.
    fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        for child in &self.children {
            all.extend(child.all());
        }
        all
    }

    pub(super) fn get(&self, attribute: &str) -> &str {
        self.attributes.iter().find(|(name, _)| name == attribute).map_or("", |(_, value)| value)
    }

    pub(super) fn named(&self, name: &str) -> Vec<&Self> {
        self.all().into_iter().filter(|element| element.name == name).collect()
    }

    pub(super) fn has_class(&self, class: &str) -> bool {
        self.get("class").split(' ').any(|own| own == class)
    }

    pub(super) fn classed(&self, class: &str) -> Vec<&Self> {
        self.all().into_iter().filter(|element| element.has_class(class)).collect()
    }
}

/// Returns a page as HTML says it is to be parsed; there is nothing in it that is against the rules.
fn parsed(page: &str) -> Element {
    let options = ParseOpts {
        tokenizer: TokenizerOpts {
            exact_errors: true,
            ..TokenizerOpts::default()
        },
        tree_builder: TreeBuilderOpts {
            exact_errors: true,
            ..TreeBuilderOpts::default()
        },
    };
    let dom = parse_document(RcDom::default(), options).one(page);
    assert!(dom.errors.borrow().is_empty(), "{:?}", dom.errors.borrow());
    let children = dom.document.children.borrow();
    assert!(children.iter().any(|node| matches!(node.data, NodeData::Doctype { .. })));
    children.iter().find_map(Element::of).unwrap()
}

/// Parses a page, and holds it to what every page must be.
pub(super) fn held(page: &str) -> Element {
    let html = parsed(page);
    for element in html.all() {
        let (_, attributes) = ALLOWED
            .iter()
            .find(|(name, _)| *name == element.name)
            .unwrap_or_else(|| panic!("<{}> is not allowed", element.name));
        for (name, value) in &element.attributes {
            assert!(attributes.contains(&name.as_str()), "<{} {name}> is not allowed", element.name);
            if name == "class" {
                assert!(value.split(' ').all(|class| CLASSES.contains(&class)), "class {value:?}");
            }
        }
    }
    // The style is the one of this program, whatever is in the store, and it brings nothing in.
    let styles = html.named("style");
    assert_eq!(styles.iter().map(|style| style.text.trim_start()).collect::<Vec<_>>(), [STYLE]);
    for foreign in ["url(", "@import", "@font-face", "//", "-set(", "expression"] {
        assert!(!STYLE.contains(foreign), "{foreign}");
    }
    let policies: Vec<&str> = html
        .named("meta")
        .into_iter()
        .filter(|meta| meta.get("http-equiv") == "Content-Security-Policy")
        .map(|meta| meta.get("content"))
        .collect();
    assert_eq!(policies, ["default-src 'none'; style-src 'unsafe-inline'"]);
    html
}
