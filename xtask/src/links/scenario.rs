//! A link as data: the content of each input, and the line. As JSON it is the file of a regression.

use serde::{Deserialize, Serialize};

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scenario {
    /// The line in order.
    pub(crate) line: Vec<Word>,
    /// Files beside the inputs, by name.
    #[serde(default)]
    pub(crate) texts: Vec<(String, String)>,
    /// The object that is edited between two links, by its number among all objects.
    pub(crate) edited: usize,
    /// `-o out` stands behind the line.
    #[serde(default = "yes")]
    pub(crate) names_output: bool,
}

fn yes() -> bool {
    true
}

/// A word of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// As it stands.
    Option(String),
    /// An object on the line.
    Object(Object),
    /// `--start-lib` to `--end-lib`.
    Lib(Vec<Object>),
    Archive {
        thin: bool,
        members: Vec<Object>,
    },
    Shared {
        soname: bool,
        versioned: bool,
        object: Object,
    },
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) symbols: Vec<Symbol>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Thin,
    Regular,
    Native,
}

/// A symbol that an object defines or names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) form: Form,
    #[serde(default)]
    pub(crate) visibility: Visibility,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// A function that calls everything that the object names.
    Function,
    WeakFunction,
    /// In a COMDAT group.
    Inline,
    Variable,
    Common,
    /// In a section with a name of its own, which `__start_` and `__stop_` go by.
    InSection,
    Called,
    WeaklyCalled,
    /// Named by a function that LTO drops.
    CalledByDropped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Visibility {
    #[default]
    Default,
    Hidden,
    Protected,
}

impl Visibility {
    /// As IR and assembly spell it.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Default => None,
            Self::Hidden => Some("hidden"),
            Self::Protected => Some("protected"),
        }
    }
}

impl Word {
    pub(crate) fn objects(&self) -> &[Object] {
        match self {
            Self::Option(_) => &[],
            Self::Object(object) | Self::Shared { object, .. } => std::slice::from_ref(object),
            Self::Lib(objects) | Self::Archive { members: objects, .. } => objects,
        }
    }

    pub(crate) fn objects_mut(&mut self) -> &mut [Object] {
        match self {
            Self::Option(_) => &mut [],
            Self::Object(object) | Self::Shared { object, .. } => std::slice::from_mut(object),
            Self::Lib(objects) | Self::Archive { members: objects, .. } => objects,
        }
    }
}

impl Form {
    pub(crate) fn is_definition(self) -> bool {
        !matches!(self, Self::Called | Self::WeaklyCalled | Self::CalledByDropped)
    }
}

impl Scenario {
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.line.iter().flat_map(Word::objects)
    }

    /// For a person, and for a file of regressions.
    pub(crate) fn show(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The words of lld's line. `archive` and `shared` files are named by their number.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (number, word) in self.line.iter().enumerate() {
            match word {
                Word::Option(option) => words.extend(option.split(' ').map(str::to_owned)),
                Word::Object(object) => words.push(object.file()),
                Word::Lib(objects) => {
                    words.push("--start-lib".to_owned());
                    words.extend(objects.iter().map(Object::file));
                    words.push("--end-lib".to_owned());
                }
                Word::Archive { .. } => words.push(archive(number)),
                Word::Shared { .. } => words.push(shared(number)),
            }
        }
        words
    }
}

pub(crate) fn archive(number: usize) -> String {
    format!("lib{number}.a")
}

pub(crate) fn shared(number: usize) -> String {
    format!("lib{number}.so")
}

impl Object {
    pub(crate) fn file(&self) -> String {
        format!("{}.o", self.name)
    }
}
