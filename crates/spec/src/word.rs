//! Closed lists of words: one declaration gives the enum, its spellings and the text of each.

/// An enum whose values are written as words in a task.
pub(crate) trait Word: Copy + 'static {
    /// Every accepted spelling, the main one of a value first.
    const SPELLINGS: &'static [(&'static str, Self)];

    /// The spellings alone.
    fn words() -> Vec<&'static str> {
        Self::SPELLINGS.iter().map(|(word, _)| *word).collect()
    }

    /// The value of a word, exactly as written.
    fn from_word(text: &str) -> Option<Self> {
        Self::SPELLINGS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal $(| $other:literal)*;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl $name {
            /// The word as a task writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word,)* }
            }
        }

        impl $crate::word::Word for $name {
            const SPELLINGS: &'static [(&'static str, Self)] =
                &[$(($word, Self::$value), $(($other, Self::$value),)*)*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;
