// Package fielddoc turns the comments of the fields of a configuration struct into
// the table that the configuration files and the reference pages are written from.
// It reads Go source, so it is for the generator and a test and is linked into no
// program.
package fielddoc

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

// Entry is what the comment of one field says.
type Entry struct{ Key, Type, Summary, Unit, Default, Change, Example string }

// Extract reads the structs called root and all below them from the Go files of
// dir. The lines of a comment that begin with Unit:, Default:, Change: or Example:
// are those; the others are the summary. A key of a value needs a summary, a default
// and a change ("restart" or "live"); a table a summary alone.
func Extract(files []string, root string) ([]Entry, error) {
	e := &extractor{structs: map[string]*ast.StructType{}}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("cannot parse %s: %w", file, err)
		}
		ast.Inspect(tree, e.note)
	}
	if err := e.walk("", root); err != nil {
		return nil, err
	}
	return e.entries, nil
}

type extractor struct {
	structs map[string]*ast.StructType
	entries []Entry
}

// note remembers the struct types of a file.
func (e *extractor) note(n ast.Node) bool {
	if spec, ok := n.(*ast.TypeSpec); ok {
		if s, ok := spec.Type.(*ast.StructType); ok {
			e.structs[spec.Name.Name] = s
		}
	}
	return true
}

func (e *extractor) walk(prefix, name string) error {
	s, ok := e.structs[name]
	if !ok {
		return fmt.Errorf("cannot find struct %s", name)
	}
	for _, field := range s.Fields.List {
		if err := e.field(prefix, field); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (e *extractor) field(prefix string, field *ast.Field) error {
	key, err := tag(field)
	if err != nil {
		return err
	}
	entry := parse(field.Doc.Text())
	entry.Key = prefix + key
	goType := strings.TrimPrefix(source(field.Type), "*")
	element := strings.TrimPrefix(goType, "[]")
	_, isTable := e.structs[element]
	switch {
	case isTable && element != goType:
		entry.Type = "list of tables"
	case isTable:
		entry.Type = "table"
	default:
		entry.Type, err = typeName(goType)
	}
	if err == nil {
		err = entry.check(isTable)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", entry.Key, err)
	}
	e.entries = append(e.entries, entry)
	if isTable {
		return e.walk(entry.Key+".", element)
	}
	return nil
}

func tag(field *ast.Field) (string, error) {
	if field.Tag == nil || len(field.Names) != 1 {
		return "", fmt.Errorf("field %v needs one name and a tag", field.Names)
	}
	raw, err := strconv.Unquote(field.Tag.Value)
	key := reflect.StructTag(raw).Get("toml")
	if err != nil || key == "" {
		return "", fmt.Errorf("field %v has no toml tag", field.Names)
	}
	return key, nil
}

// source is the text of a type's expression.
func source(expr ast.Expr) string {
	var b bytes.Buffer
	if err := format.Node(&b, token.NewFileSet(), expr); err != nil {
		return err.Error()
	}
	return b.String()
}

// typeName is the user's word for a Go type.
func typeName(goType string) (string, error) {
	names := map[string]string{
		"Bytes": "size", "Space": "size", "Duration": "duration", "CPUQuota": "quota", "Rate": "rate", "string": "string",
		"bool": "true or false", "int": "integer", "int64": "integer", "[]string": "list of strings", "map[string]string": "table of strings",
		"Commands": "command or list of commands", "map[string]Credential": "table of credentials",
		"map[string]Space": "table of sizes", "map[string]Rlimit": "table of resource limits",
	}
	if name, ok := names[goType]; ok {
		return name, nil
	}
	return "", fmt.Errorf("type %s has no name for users", goType)
}

func parse(comment string) Entry {
	var entry Entry
	var summary []string
	for line := range strings.SplitSeq(strings.TrimSpace(comment), "\n") {
		label, rest, _ := strings.Cut(line, ": ")
		switch label {
		case "Unit":
			entry.Unit = rest
		case "Default":
			entry.Default = rest
		case "Change":
			entry.Change = rest
		case "Example":
			entry.Example = rest
		default:
			summary = append(summary, line)
		}
	}
	entry.Summary = strings.TrimSpace(strings.Join(summary, "\n"))
	return entry
}

func (e *Entry) check(isTable bool) error {
	switch {
	case e.Summary == "":
		return fmt.Errorf("the comment has no summary")
	case isTable && e.Default+e.Change+e.Unit+e.Example != "":
		return fmt.Errorf("a table has no value")
	case isTable:
		return nil
	case e.Default == "":
		return fmt.Errorf("the comment has no line Default")
	case e.Change != "restart" && e.Change != "live":
		return fmt.Errorf("the comment needs Change: restart or live")
	}
	return nil
}
