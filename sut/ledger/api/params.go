package api

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// Reading is what all reads have in common: how fresh the answer has to be. It
// is exported, as all that is embedded here, because huma sees nothing else.
type Reading struct {
	Consistency domain.Consistency `query:"consistency" enum:"strong,replica" doc:"Without it a single thing may come from the cache. With strong the primary answers, with replica a read replica that may lag behind."`
	Position    position           `header:"Ledger-Position" example:"2-0/3000060" doc:"With consistency=replica: what the answer has to include, as answered to a change."`
}

func (r Reading) want() domain.Reading {
	return domain.Reading{Want: r.Consistency, After: r.Position.Position}
}

// position is a [domain.Position] in a header.
type position struct{ domain.Position }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *position) UnmarshalText(text []byte) (err error) {
	p.Position, err = domain.ParsePosition(string(text))
	return err
}

// id is a UUID made by a client, in a path, query or header.
type id struct{ uuid.UUID }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (i *id) UnmarshalText(text []byte) (err error) {
	if i.UUID, err = parseID(string(text)); err != nil {
		return fmt.Errorf("must be %w", err)
	}
	return nil
}

// parseID reads a UUID in its one canonical length; the parser itself would
// also take braces, a urn: prefix, or no hyphens.
func parseID(s string) (uuid.UUID, error) {
	const canonical = 36
	parsed, err := uuid.Parse(s)
	if err != nil || len(s) != canonical {
		return uuid.UUID{}, errors.New("a UUID such as 6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01")
	}
	return parsed, nil
}

// pagesDetail is what all lists say of their pages.
const pagesDetail = "Turning pages shows every entry that was there when the first page was read once, whatever is inserted meanwhile. " +
	"An entry that is committed meanwhile may have its place in the order before the cursor, even in an order of time, and is then seen by " +
	"the next who begins: to follow a list, begin again a little before the last entry, and know entries by their ids."

// Listing is what all lists have in common: which part of the list is wanted.
type Listing struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many entries to return at most."`
	Cursor string `query:"cursor" maxLength:"2048" doc:"The next of the page before."`

	self url.URL
}

// Resolve implements [huma.Resolver]: it keeps the address of the page.
func (l *Listing) Resolve(ctx huma.Context) []error {
	l.self = ctx.URL()
	return nil
}

// page returns what to ask for; order is one of the sorts, after a minus if it
// is descending.
func (l *Listing) page(kind listKind, order string, sorts []domain.SortKey) (domain.Page, error) {
	key, descending := strings.CutPrefix(order, "-")
	if key == "" {
		key = string(sorts[0])
	}
	p := domain.Page{Sort: domain.SortKey(key), Descending: descending, Limit: l.Limit}
	if l.Cursor == "" {
		return p, nil
	}
	after, err := place{kind: kind, sort: p.Sort, descending: descending}.decode(l.Cursor)
	if err != nil {
		return p, &refusal{
			code: "malformed", detail: "cursor: " + err.Error(), fields: []fieldReport{{Detail: err.Error(), Parameter: "cursor"}},
		}
	}
	p.After = &after
	return p, nil
}

// next returns the cursor behind a page, and the address of the page there.
func (l *Listing) next(kind listKind, p domain.Page, after *domain.Cursor) (cursor, link string) {
	if after == nil {
		return "", ""
	}
	cursor = place{kind: kind, sort: p.Sort, descending: p.Descending}.encode(*after)
	query := l.self.Query()
	query.Set("cursor", cursor)
	return cursor, "<" + l.self.EscapedPath() + "?" + query.Encode() + `>; rel="next"`
}

// entityTags are those of an If-Match or If-None-Match header.
type entityTags struct {
	any  bool
	tags []string // as sent
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (e *entityTags) UnmarshalText(text []byte) error {
	list := string(text)
	if list == "*" {
		e.any = true
		return nil
	}
	for list != "" {
		rest := strings.TrimPrefix(list, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return errors.New(`not a list of entity tags such as "3"`)
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return errors.New(`not a list of entity tags such as "3"`)
		}
		end += len(list) - len(rest) + 2
		e.tags = append(e.tags, list[:end])
		list = strings.TrimLeft(list[end:], " \t")
		if list != "" && !strings.HasPrefix(list, ",") {
			return errors.New(`not a list of entity tags such as "3"`)
		}
		list = strings.TrimLeft(list, ", \t")
	}
	return nil
}

// include reports whether a tag is among them by the weak comparison.
func (e entityTags) include(tag string) bool {
	if e.any {
		return true
	}
	for _, t := range e.tags {
		if strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// versions returns those of which a change may be, by the strong comparison. A
// tag that was never given out, as a weak one, is that of no version.
func (e entityTags) versions() (domain.Versions, error) {
	if e.any || len(e.tags) == 0 {
		return nil, nil
	}
	var versions domain.Versions
	for _, tag := range e.tags {
		version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err == nil && version > 0 && versionTag(version) == tag {
			versions = append(versions, version)
		}
	}
	if versions == nil {
		return nil, domain.ErrVersion
	}
	return versions, nil
}

// versionTag is the entity tag of a version.
func versionTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
