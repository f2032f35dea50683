//! Shapes as text.

use core::fmt::{self, Write};

/// A text in HTML: nothing in it is taken for a tag.
pub(super) struct Safe<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Safe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.to_string().chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // XML has no words for them.
                char if char.is_control() => f.write_char('\u{fffd}')?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// A drawing under way. Classes say what a shape is; how it looks is said in `page.css`.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    pub(super) text: String,
}

impl Drawing {
    fn add(&mut self, shape: fmt::Arguments<'_>) {
        // A `String` takes everything.
        let _ = writeln!(self.text, "{shape}");
    }

    /// Shapes with a name that a link may lead to.
    pub(super) fn anchor(&mut self, name: &str, shapes: impl FnOnce(&mut Self)) {
        self.add(format_args!(r#"<g id="{name}">"#));
        shapes(self);
        self.add(format_args!("</g>"));
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (u32, u32), (x2, y2): (u32, u32)) {
        self.add(format_args!(
            r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#
        ));
    }

    /// With its head at the second point.
    pub(super) fn arrow(&mut self, class: &str, head: &str, from: (u32, u32), to: (u32, u32)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line class="{class}" marker-end="url(#{head})" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#
        ));
    }

    pub(super) fn dot(&mut self, class: &str, (x, y): (u32, u32), radius: u32) {
        self.add(format_args!(
            r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#
        ));
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (u32, u32), (width, height): (u32, u32)) {
        self.add(format_args!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#
        ));
    }

    /// Two strokes across each other.
    pub(super) fn cross(&mut self, class: &str, (x, y): (u32, u32)) {
        let (left, right, top, bottom) = (x.saturating_sub(5), x + 5, y.saturating_sub(5), y + 5);
        self.add(format_args!(
            r#"<path class="{class}" d="M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}"/>"#
        ));
    }

    /// A flash.
    pub(super) fn bolt(&mut self, class: &str, (x, y): (u32, u32)) {
        let (top, bottom) = (y.saturating_sub(9), y + 9);
        self.add(format_args!(
            r#"<path class="{class}" d="M{} {top}L{} {}L{} {}L{} {bottom}L{} {}L{} {}Z"/>"#,
            x + 3,
            x.saturating_sub(6),
            y + 2,
            x.saturating_sub(1),
            y + 2,
            x.saturating_sub(3),
            x + 6,
            y.saturating_sub(2),
            x + 1,
            y.saturating_sub(2),
        ));
    }

    pub(super) fn words(&mut self, class: &str, (x, y): (u32, u32), words: &dyn fmt::Display) {
        let words = Safe(words);
        self.add(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}">{words}</text>"#
        ));
    }

    /// Words that are shown up to their `shown`th letter, and whole where the pointer rests.
    pub(super) fn cut(&mut self, class: &str, (x, y): (u32, u32), words: &str, shown: usize) {
        if words.chars().count() <= shown {
            return self.words(class, (x, y), &words);
        }
        let cut: String = words.chars().take(shown.saturating_sub(1)).collect();
        let (cut, whole) = (Safe(cut), Safe(words));
        self.add(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}">{cut}…<title>{whole}</title></text>"#
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_a_tag() {
        let safe = Safe("<b a='1'>\"&\u{1}\n").to_string();
        assert_eq!(safe, "&lt;b a=&#39;1&#39;&gt;&quot;&amp;\u{fffd}\u{fffd}");
    }

    #[test]
    fn long_words_are_cut_and_kept() {
        let mut drawing = Drawing::default();
        drawing.cut("t", (1, 2), "à<bcdef", 4);
        let expected =
            "<text class=\"t\" x=\"1\" y=\"2\">à&lt;b…<title>à&lt;bcdef</title></text>\n";
        assert_eq!(drawing.text, expected);
    }
}
