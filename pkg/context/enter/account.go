package enter

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sysct/sysct/internal/safefs"
)

// Account is a user of a guest, as the guest's own files tell.
type Account struct {
	UID, GID uint32
	// Groups are all groups of a process of the user, GID first: a group that
	// is only the primary one could be dropped by the program, and with it what
	// files deny to that group (CVE-2022-2989).
	Groups []uint32
	// Home and Shell are absolute paths.
	Home, Shell string
	// Name is empty for an id without an entry.
	Name string
}

// maxTable bounds /etc/passwd and /etc/group, in bytes.
const maxTable = 1 << 20

// LookupUser finds who, which is one of name, uid, name:group, uid:gid, in the
// guest's /etc/passwd and /etc/group. What is all digits is an id, even if
// somebody in the guest is called so (CVE-2016-3697), and ids are plain
// decimals below 2³²-1 (CVE-2024-40635). Without a group, a user with an entry
// gets the groups that the files name, an id without one the group of its own
// number. User 0 needs neither file.
func LookupUser(root *safefs.Root, who string) (Account, error) {
	user, group, grouped := strings.Cut(who, ":")
	a, err := lookupEntry(root, user)
	if err != nil {
		return Account{}, err
	}
	if grouped {
		if a.GID, err = lookupGroup(root, group); err != nil {
			return Account{}, err
		}
		a.Groups = []uint32{a.GID}
		return a, nil
	}
	a.Groups, err = memberships(root, a)
	return a, err
}

// lookupEntry returns the account without its supplementary groups.
func lookupEntry(root *safefs.Root, user string) (Account, error) {
	uid, numeric, err := parseID(user)
	if err != nil {
		return Account{}, fmt.Errorf("cannot use user %q: %w", user, err)
	}
	rows, err := readTable(root, "/etc/passwd", 7)
	isRoot := user == "root" || numeric && uid == 0
	// Whoever repairs a guest whose passwd is gone or broken comes as root.
	if err != nil && !isRoot && !errors.Is(err, fs.ErrNotExist) {
		return Account{}, err
	}
	for _, row := range rows {
		a, ok := parseEntry(row)
		if ok && (numeric && a.UID == uid || !numeric && a.Name == user) {
			return a, nil
		}
	}
	switch {
	case isRoot:
		return Account{Home: "/root", Shell: "/bin/sh", Name: "root"}, nil
	case numeric:
		return Account{UID: uid, GID: uid, Home: "/", Shell: "/bin/sh"}, nil
	default:
		return Account{}, fmt.Errorf("cannot find user %q in the guest", user)
	}
}

// parseEntry reads name:password:uid:gid:comment:home:shell. What isn't one is
// no entry, as for the C library.
func parseEntry(row []string) (Account, bool) {
	uid, ok1, err1 := parseID(row[2])
	gid, ok2, err2 := parseID(row[3])
	if !ok1 || !ok2 || err1 != nil || err2 != nil || row[0] == "" {
		return Account{}, false
	}
	a := Account{UID: uid, GID: gid, Name: row[0], Home: row[5], Shell: row[6]}
	if !path.IsAbs(a.Home) {
		a.Home = "/"
	}
	if !path.IsAbs(a.Shell) {
		a.Shell = "/bin/sh"
	}
	return a, true
}

func lookupGroup(root *safefs.Root, group string) (uint32, error) {
	gid, numeric, err := parseID(group)
	if err != nil {
		return 0, fmt.Errorf("cannot use group %q: %w", group, err)
	}
	if numeric {
		return gid, nil
	}
	rows, err := readTable(root, "/etc/group", 4)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		gid, ok, err := parseID(row[2])
		if row[0] == group && ok && err == nil {
			return gid, nil
		}
	}
	return 0, fmt.Errorf("cannot find group %q in the guest", group)
}

// memberships returns the account's primary group and those that list its name.
func memberships(root *safefs.Root, a Account) ([]uint32, error) {
	groups := []uint32{a.GID}
	if a.Name == "" {
		return groups, nil
	}
	rows, err := readTable(root, "/etc/group", 4)
	if err != nil && a.UID != 0 && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, row := range rows {
		gid, ok, err := parseID(row[2])
		if ok && err == nil && gid != a.GID && slices.Contains(strings.Split(row[3], ","), a.Name) {
			groups = append(groups, gid)
		}
	}
	slices.Sort(groups[1:])
	groups = slices.Compact(groups)
	if len(groups) > maxGroups {
		return nil, fmt.Errorf("cannot use user %q: it is in more than %d groups", a.Name, maxGroups)
	}
	return groups, nil
}

// readTable returns the lines of a file that have the given number of fields.
func readTable(root *safefs.Root, name string, fields int) ([][]string, error) {
	data, err := root.ReadFile(name, maxTable)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		if row := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(row) == fields {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

var (
	errNotDecimal = errors.New("an id is a plain decimal number, a name begins with a letter or _")
	errIDRange    = errors.New("ids go from 0 to 4294967294")
)

// parseID tells a number from a name; the third kind, what merely looks like a
// number (-1, 0x3e8, 007, nothing at all), is refused.
func parseID(s string) (id uint32, numeric bool, err error) {
	if s == "" || strings.ContainsRune("+-", rune(s[0])) {
		return 0, false, errNotDecimal
	}
	if s[0] < '0' || s[0] > '9' {
		return 0, false, nil
	}
	if strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, false, errNotDecimal
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || uint32(n) == noID {
		return 0, false, errIDRange
	}
	return uint32(n), true, nil
}
