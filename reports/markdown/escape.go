package markdown

import "strings"

const maxText = 2000 // bytes of one piece of text; a reason is a sentence

// escape makes text stand for itself in a paragraph or a cell of a table.
func escape(s string) string {
	s = shorten(s)
	return strings.NewReplacer(
		"\\", "\\\\", "`", "\\`", "*", "\\*", "[", "\\[", "]", "\\]", "|", "\\|", "~", "\\~",
		"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;", "\r", " ", "\n", " ",
	).Replace(s)
}

// code makes a code span.
func code(s string) string {
	if s == "" {
		return "-"
	}
	return "`" + strings.NewReplacer("`", "'", "|", "\\|", "\r", " ", "\n", " ").Replace(shorten(s)) + "`"
}

func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + " ..."
}
