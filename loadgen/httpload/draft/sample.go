package draft

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxSample is how deep a sample of a schema goes: schemas may hold themselves.
const maxSample = 4

// sampleMail is the address of somebody who is not there yet.
const sampleMail = "${letters(8)}@example.com"

// sample makes a value that fits a schema, of expressions where clients would
// send different ones.
func sample(schema tree, depth int) any {
	schema = schema.follow()
	if format := schema.get("format").text(); format == "email" || format == "uuid" {
		return sampleString(schema) // an example would be the same each time
	}
	for _, key := range []string{"example", "const", "default"} {
		if v := schema.get(key); v.exists() {
			return ordered(v.at)
		}
	}
	if list := schema.get("examples").items(); len(list) > 0 {
		return ordered(list[0].at)
	}
	if list := schema.get("enum").items(); len(list) > 0 {
		return ordered(list[0].at)
	}
	if depth > maxSample && nests(schema) {
		return nil
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		for _, s := range schema.get(key).items() {
			if s.get("type").text() != "null" {
				return sample(s, depth+1)
			}
		}
	}
	if all := schema.get("allOf").items(); len(all) > 0 {
		return sampleAll(schema, all, depth)
	}
	switch typeOf(schema) {
	case "object":
		return sampleObject(schema, depth)
	case "array":
		return sampleArray(schema, depth)
	case "integer":
		return sampleInteger(schema)
	case "number":
		least, most := rangeOf(schema, 1, 100)
		return fmt.Sprintf("${float(%s, %s)}", short(least), short(most))
	case "boolean":
		return true
	case "string":
		return sampleString(schema)
	}
	return pairs{}
}

// nests reports whether a value of the schema may hold others.
func nests(schema tree) bool {
	switch typeOf(schema) {
	case "string", "integer", "number", "boolean":
		return false
	}
	return true
}

// sampleArray has one element, or none if it need not and is deep down.
func sampleArray(schema tree, depth int) []any {
	if n, _ := schema.get("minItems").number(); n == 0 && depth > 2 {
		return []any{}
	}
	return []any{sample(schema.get("items"), depth+1)}
}

// typeOf returns the type of a schema, the first that is not null.
func typeOf(schema tree) string {
	t := schema.get("type")
	for _, one := range t.items() {
		if one.text() != "null" {
			return one.text()
		}
	}
	switch {
	case t.text() != "":
		return t.text()
	case schema.get("properties").exists():
		return "object"
	case schema.get("items").exists():
		return "array"
	case schema.get("format").exists(), schema.get("pattern").exists(), schema.get("maxLength").exists():
		return "string"
	}
	return ""
}

// sampleAll joins the samples of parts.
func sampleAll(schema tree, all []tree, depth int) any {
	var joined pairs
	for _, s := range append(all, tree{schema.root, map[string]any{
		"properties": schema.get("properties").at, "required": schema.get("required").at, "type": "object",
	}}) {
		v := sample(s, depth+1)
		p, ok := v.(pairs)
		if !ok {
			return v
		}
		for _, e := range p {
			if !slices.ContainsFunc(joined, func(o pair) bool { return o.key == e.key }) {
				joined = append(joined, e)
			}
		}
	}
	return joined
}

// sampleObject has what is required, or all that there is if nothing is said
// about that.
func sampleObject(schema tree, depth int) pairs {
	properties, p := schema.get("properties"), pairs{}
	var required []string
	for _, r := range schema.get("required").items() {
		required = append(required, r.text())
	}
	for _, key := range properties.keys() {
		s := properties.get(key)
		if s.get("readOnly").truth() || len(required) > 0 && !slices.Contains(required, key) {
			continue
		}
		if len(required) == 0 && depth > 3 {
			continue
		}
		p = append(p, pair{key, sample(s, depth+1)})
	}
	return p
}

func sampleInteger(schema tree) string {
	least, most := rangeOf(schema, 1, 100)
	return fmt.Sprintf("${int(%s, %s)}", short(math.Ceil(least)), short(math.Floor(most)))
}

// rangeOf returns the bounds of a number, near the usual ones.
func rangeOf(schema tree, least, most float64) (from, to float64) {
	lower, hasLower := schema.get("minimum").number()
	if v, ok := schema.get("exclusiveMinimum").number(); ok {
		lower, hasLower = v+1, true
	}
	upper, hasUpper := schema.get("maximum").number()
	if v, ok := schema.get("exclusiveMaximum").number(); ok {
		upper, hasUpper = v-1, true
	}
	if hasLower && (lower > least || hasUpper && upper < least) {
		least = lower
	}
	most = max(most, least+most-1)
	if hasUpper {
		most = min(most, upper)
	}
	least, most = max(least, -1e15), min(most, 1e15)
	return least, max(least, most)
}

func short(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func sampleString(schema tree) string {
	switch schema.get("format").text() {
	case "uuid":
		return "${uuid}"
	case "date-time":
		return "${now}"
	case "date":
		return "${date}"
	case "email":
		return sampleMail
	case "uri", "url":
		return "https://example.com/${letters(8)}"
	case "ipv4":
		return "192.0.2.${int(1, 254)}"
	case "password":
		return "${secret:PASSWORD}"
	case "byte":
		return "cHJvb2Zsb2Fk"
	}
	if pattern := schema.get("pattern").text(); pattern != "" {
		if v := samplePattern(pattern); v != "" {
			return v
		}
	}
	length := 8.0
	if v, ok := schema.get("minLength").number(); ok {
		length = max(length, v)
	}
	if v, ok := schema.get("maxLength").number(); ok {
		length = min(length, v)
	}
	return fmt.Sprintf("${letters(%d)}", int(min(max(length, 1), 65536)))
}

// samplePattern knows the patterns of currencies, countries, digits and
// hexadecimal ids. Of others it makes nothing.
func samplePattern(pattern string) string {
	switch strings.Trim(pattern, "^$") {
	case "[A-Z]{3}":
		return "EUR"
	case "[A-Z]{2}":
		return "DE"
	case `\d+`, "[0-9]+":
		return "${digits(6)}"
	case "[0-9a-f]+", "[a-f0-9]+":
		return "${hex(16)}"
	}
	return ""
}
