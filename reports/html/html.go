// Package html writes the report of a run: one file that holds everything it
// shows.
//
// It fetches nothing. Charts are inline SVG whose look is in presentation
// attributes, so that the report can also be read where a content security
// policy blocks style sheets; the style sheet adds layout, dark mode and print.
// A script, which nothing depends on, tells the numbers where somebody points at
// the main chart, and draws a part of it from close up.
package html

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/proofload/proofload/reports"
)

//go:embed report.html.tmpl compare.html.tmpl drawing.html.tmpl style.css chart.js live.html.tmpl live.css live.js
//go:embed uplot/LICENSE uplot/uPlot.min.js uplot/uPlot.min.css
var files embed.FS

// ScriptSource is what a content security policy names the script of reports by.
// A report that a page opens out of its memory is under the policy of that page,
// too, and not only under its own.
func ScriptSource() (string, error) {
	_, source, err := script()
	return source, err
}

// StyleFile is the name under which the pages of [WriteLinked] look for
// [Style].
const StyleFile = "report.css"

// A frame is what is around the content of a page.
type frame struct {
	Linked bool          // the style sheet is a file beside the page
	Style  string        // its name
	Policy string        // of the page's own content security policy, beside style sheets
	Script template.HTML // empty if there is none
}

// Write writes the report of r.
func Write(w io.Writer, r *reports.Result) error {
	p := newPage(r)
	element, source, err := script()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	p.Frame = frame{Policy: " script-src " + source + ";", Script: element}
	return render(w, "report.html.tmpl", p)
}

// WriteLinked writes the report of r for a server whose content security policy
// allows no style sheets and no scripts inside of pages, as that of Jenkins: its
// style sheet is the file [StyleFile] beside it.
func WriteLinked(w io.Writer, r *reports.Result) error {
	p := newPage(r)
	p.Frame, p.Readout = frame{Linked: true, Style: StyleFile}, nil
	return render(w, "report.html.tmpl", p)
}

// WriteStyle writes the style sheet of the pages.
func WriteStyle(w io.Writer, _ *reports.Result) error {
	text, err := files.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("write style sheet: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write style sheet: %w", err)
	}
	return nil
}

// render writes a page as a whole.
func render(w io.Writer, name string, data any) error {
	t, err := template.ParseFS(files, "*.tmpl", "style.css", "uplot/uPlot.min.css")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
