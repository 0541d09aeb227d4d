package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A guest's root can change its tree while the host works in it. A path there is
// therefore reached by a directory's descriptor and openat2 (internal/safefs), never
// by name. In the packages and files of guarded, a call that takes a path may have
// only one of the host's kernel file systems, told by its literal beginning; the
// rest is in exceptions, each with its reason. Nowhere is a name in rootfs/ joined.

// guarded are the packages, and files of packages, that work in guests' trees.
func guarded() []string {
	return []string{
		"internal/safefs",
		"pkg/context", "pkg/context/enter", "pkg/context/mounts", "pkg/context/stage",
		"pkg/images/store", "pkg/images/tree.go",
		"pkg/guest/identity.go",
	}
}

// pathCalls are the functions that take a path as the kernel resolves it for the host.
func pathCalls() map[string][]string {
	return map[string][]string{
		"os": {"Chdir", "Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "DirFS", "Lchown", "Link", "Lstat", "Mkdir", "MkdirAll",
			"MkdirTemp", "Open", "OpenFile", "OpenInRoot", "ReadDir", "ReadFile", "Readlink", "Remove", "RemoveAll", "Rename", "Stat", "Symlink", "Truncate", "WriteFile"},
		"path/filepath": {"EvalSymlinks", "Glob", "Walk", "WalkDir"},
		"golang.org/x/sys/unix": {"Access", "Chdir", "Chmod", "Chown", "Chroot", "Creat", "Getxattr", "Lchown", "Lgetxattr", "Link", "Listxattr", "Llistxattr",
			"Lremovexattr", "Lsetxattr", "Lstat", "Mkdir", "Mkfifo", "Mknod", "Open", "Readlink", "Removexattr", "Rename", "Rmdir", "Setxattr", "Stat",
			"Statfs", "Symlink", "Truncate", "Unlink", "Unmount"},
	}
}

// exceptions are calls in guarded files whose path is the host's though no literal
// says so.
func exceptions() map[string]string {
	return map[string]string{
		"internal/safefs/safefs.go Open":           "the tree's own directory, its last component no link: where it all begins",
		"pkg/context/clone.go Open":                "/proc of the own thread",
		"pkg/context/host.go ReadFile":             "the host's os-release",
		"pkg/context/dev_nodes.go OpenTree":        "a node of the /dev of this system itself",
		"pkg/context/views.go Open":                "/dev/fuse of the host",
		"pkg/context/enter/target.go Open":         "the guest's control group",
		"pkg/context/stage/place.go Open":          "the host's tree, before the guest's root is in it",
		"pkg/images/store/auto.go Open":            "the state directory, root's alone",
		"pkg/images/store/auto.go MkdirTemp":       "a probe in the state directory",
		"pkg/images/store/auto.go Mkdir":           "in the probe's directory",
		"pkg/images/store/copy_attr.go Llistxattr": "a name below a descriptor's path in /proc: there is no listxattrat before Linux 6.13",
		"pkg/images/store/copy_attr.go Lgetxattr":  "the same",
		"pkg/images/store/copy_attr.go Lsetxattr":  "the same",
		"pkg/images/store/try.go Open":             "the state and cache directories, root's alone",
		"pkg/images/store/guestdir.go Open":        "the parent of a guest's directory, root's alone",
		"pkg/images/store/holders.go Open":         "/proc/PID/fd and its like",
		"pkg/images/store/holders.go Statx":        "a magic link in /proc",
	}
}

// call is a call with a path that isn't plainly the host's.
type call struct {
	function string
	line     int
	joined   bool // it has a literal that names the guest's tree
}

// pathsIn finds such calls in a file.
func pathsIn(set *token.FileSet, file *ast.File) []call {
	names := importedCalls(file)
	var found []call
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if function, at := pathArgument(c, names); at >= 0 && !isHosts(c.Args[at]) {
			found = append(found, call{function: function, line: set.Position(c.Pos()).Line, joined: namesTree(c)})
		}
		return true
	})
	return found
}

// importedCalls is pathCalls by the names that the file has for the packages.
func importedCalls(file *ast.File) map[string][]string {
	names := map[string][]string{}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if list, ok := pathCalls()[imported]; ok {
			names[name] = list
		}
	}
	return names
}

// pathArgument gives the called function and which of its arguments is a path by name, -1 for none:
// the first one, or the one after AT_FDCWD in openat and all its relatives.
func pathArgument(c *ast.CallExpr, names map[string][]string) (function string, at int) {
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok || len(c.Args) == 0 {
		return "", -1
	}
	list, ok := names[nameOf(sel.X)]
	if ok && slices.Contains(list, sel.Sel.Name) {
		return sel.Sel.Name, 0
	}
	dir := slices.IndexFunc(c.Args, isWorkingDir)
	if ok && dir >= 0 && dir+1 < len(c.Args) {
		return sel.Sel.Name, dir + 1
	}
	return "", -1
}

func nameOf(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func isWorkingDir(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "AT_FDCWD"
}

// isHosts tells whether a path begins with a literal that lies in none of a guest's trees.
func isHosts(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text == "" || text == "/" || text == "." || text == "/sys" || text == "/dev/null" ||
			strings.HasPrefix(text, "/proc/") || strings.HasPrefix(text, "/sys/")
	case *ast.BinaryExpr:
		return e.Op == token.ADD && isHosts(e.X)
	case *ast.CallExpr: // fmt.Sprintf("/proc/%d/…"), the package's own fdPath
		return nameOf(e.Fun) == "fdPath" || len(e.Args) > 1 && isHosts(e.Args[0])
	}
	return false
}

// namesTree tells whether a call's arguments have a literal with the tree's name.
func namesTree(c *ast.CallExpr) bool {
	found := false
	ast.Inspect(c, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		found = found || ok && strings.Contains(lit.Value, "rootfs/")
		return !found
	})
	return found
}

func TestPathsInGuestsTreesGoByDescriptors(t *testing.T) {
	used := map[string]bool{}
	for _, p := range goList(t, "./internal/...", "./pkg/...") {
		name, _ := strings.CutPrefix(p.ImportPath, module+"/")
		for _, file := range p.GoFiles {
			set := token.NewFileSet()
			tree, err := parser.ParseFile(set, filepath.Join(root, name, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			isGuarded := slices.Contains(guarded(), name) || slices.Contains(guarded(), name+"/"+file)
			for _, c := range pathsIn(set, tree) {
				key := fmt.Sprintf("%s/%s %s", name, file, c.function)
				_, excepted := exceptions()[key]
				used[key] = true
				if c.joined || isGuarded && !excepted {
					t.Errorf("%s/%s:%d: %s reaches a path by name: use internal/safefs or a directory's descriptor", name, file, c.line, c.function)
				}
			}
		}
	}
	for key := range exceptions() {
		if !used[key] {
			t.Errorf("the exception %q is not needed any more", key)
		}
	}
}

// TestThePathGuardGuards gives it every kind of call that it has to see, and to pass.
func TestThePathGuardGuards(t *testing.T) {
	const source = `package x
import ("os"; fs "path/filepath"; "fmt"; "golang.org/x/sys/unix")
func good(fd int, r *os.Root) {
	os.ReadFile("/proc/self/mountinfo")
	os.Open(fmt.Sprintf("/proc/%d/ns/user", 1))
	unix.Open("/proc/"+name+"/ns", 0, 0)
	unix.Open(fdPath(fd), 0, 0)
	unix.Openat(fd, name, 0, 0)
	unix.Openat2(fd, name, nil)
	unix.OpenTree(unix.AT_FDCWD, "/sys", 0)
	r.Open(name)
}
func bad() {
	os.Open(name)
	fs.WalkDir(dir, nil)
	unix.Lstat(dir+"/etc", nil)
	unix.Openat(unix.AT_FDCWD, name, 0, 0)
	unix.Renameat2(fd, a, unix.AT_FDCWD, b, 0)
	os.ReadFile(fs.Join(dir, "rootfs/etc/passwd"))
}`
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "x.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range pathsIn(set, tree) {
		got = append(got, fmt.Sprintf("%d %s %v", c.line, c.function, c.joined))
	}
	want := []string{"14 Open false", "15 WalkDir false", "16 Lstat false", "17 Openat false", "18 Renameat2 false", "19 ReadFile true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
