// Package html writes the report of a run: one file that holds everything it
// shows.
//
// It fetches nothing and runs no script. Charts are inline SVG whose look is
// in presentation attributes, so that the report can also be read where a
// content security policy blocks style sheets; the style sheet adds layout,
// dark mode and print.
package html

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/proofload/proofload/reports"
)

//go:embed report.html.tmpl compare.html.tmpl drawing.html.tmpl style.css
var files embed.FS

// Write writes the report of r.
func Write(w io.Writer, r *reports.Result) error {
	t, err := template.ParseFS(files, "*.tmpl", "style.css")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "report.html.tmpl", newPage(r)); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
