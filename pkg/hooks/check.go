package hooks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/rootpath"
)

// Check says what keeps a program of the host from being a hook's: it is to be root's
// alone, with all directories and links on its path, so that nobody else can have the path
// lead elsewhere before it is executed, and the same holds for the interpreter of a script.
// It is to be nothing of a guest's tree, which a guest has written. guests is the directory
// with the guests' directories.
func Check(path, guests string) error {
	for range maxInterpreters {
		if err := checkOne(path, guests); err != nil {
			return err
		}
		next := interpreterOf(path)
		// One that is missing is explained when it is executed.
		if _, err := os.Stat(next); next == "" || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := checkOne(next, guests); err != nil {
			return fmt.Errorf("its interpreter %s: %w", next, err)
		}
		path = next
	}
	return nil
}

// maxInterpreters is how many scripts may be each other's interpreters (Linux, fs/exec.c,
// exec_binprm: the kernel refuses more).
const maxInterpreters = 6

func checkOne(path, guests string) error {
	if rootpath.InGuest(path, guests) { // the plain word, before what is wrong with its directories
		return errors.New("it is in a guest's tree")
	}
	fd, err := rootpath.Open(path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	real := rootpath.Of(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	switch {
	case rootpath.InGuest(real, guests):
		return errors.New("it is in a guest's tree")
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return errors.New("it is a directory")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is not a regular file")
	case st.Uid != 0:
		return fmt.Errorf("it belongs to user %d: the host's root runs only what is root's", st.Uid)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("others than root may write it (mode %04o)", st.Mode&0o7777)
	case st.Mode&0o111 == 0:
		return fmt.Errorf("it is not executable (mode %04o)", st.Mode&0o7777)
	}
	return nil
}

// Explain finds out what the kernel means by its answer to an execution of a program of
// the host.
func Explain(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		if interpreter := interpreterOf(path); interpreter != "" {
			return fmt.Errorf("its interpreter %q is missing%s", interpreter, crlf(interpreter))
		}
		return err
	case errors.Is(err, unix.ENOEXEC):
		return errors.New("it is neither a program for this machine nor a script with #! at its beginning")
	}
	return err
}

func crlf(interpreter string) string {
	if strings.HasSuffix(interpreter, "\r") {
		return ": the lines of the script end with CR LF"
	}
	return ""
}

// interpreterOf reads the first line of a script: the program behind #!.
func interpreterOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	rest, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return ""
	}
	rest = strings.Trim(rest, " \t\n")
	program, _, _ := strings.Cut(rest, " ")
	return program
}
