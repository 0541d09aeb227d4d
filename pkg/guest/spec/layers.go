package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/rootpath"
)

// Layers says where the files are that a guest's configuration is laid over: those of
// its keys include and profiles. nil: they aren't looked for, the file is read alone.
type Layers struct {
	Profiles string // the directory of profiles
	Guests   string // the directory with the guests' directories: nothing of a guest's tree is read
}

// Bounds of what is included.
const (
	maxLayerDepth = 8  // files that include one another
	maxLayers     = 64 // files in all
)

// Layered is a configuration with the files that it was read from.
type Layered struct {
	Guest   *Guest
	sources []*source // each laid over the one before; the guest's own is the last
}

// Parse is the package's Parse, with the files that the text is laid over. An error of one
// of these has its name and place.
func (l *Layers) Parse(data []byte, name string) (*Guest, error) {
	c, err := l.Read(data, name)
	if err != nil {
		return nil, err
	}
	return c.Guest, nil
}

// Read is Parse with where each value comes from.
func (l *Layers) Read(data []byte, name string) (*Layered, error) {
	own := &source{file: name, data: data}
	guest, err := own.alone()
	if err != nil {
		return nil, err
	}
	c := &Layered{Guest: guest, sources: []*source{own}}
	if l != nil && len(guest.Include)+len(guest.Profiles) > 0 {
		s := &stack{layers: l}
		if err := s.push(own, guest, []string{name}); err != nil {
			return nil, err
		}
		c.sources = s.sources
		c.Guest = Default()
		for _, src := range s.sources {
			if err := src.lay(c.Guest); err != nil {
				return nil, err
			}
		}
		// What the layers below include is no key of this guest's.
		c.Guest.Include, c.Guest.Profiles = guest.Include, guest.Profiles
	}
	return c, c.check()
}

// alone reads the text and nothing that it includes, and doesn't judge the values.
func (src *source) alone() (*Guest, error) {
	guest := Default()
	return guest, src.decode(guest, GuestFields(), guestVersion)
}

// lay puts the keys of a source that was read over those of a configuration.
func (src *source) lay(guest *Guest) error {
	d := &decoder{src: src, fields: GuestFields()}
	d.root(src.table, guest)
	return d.err()
}

// stack is what a configuration is laid over, as it is being found.
type stack struct {
	layers  *Layers
	sources []*source
}

// push adds what a file includes, and then the file. chain are the files that led here.
func (s *stack) push(src *source, guest *Guest, chain []string) error {
	for i, path := range guest.Include {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(src.file), path)
		}
		if err := s.include(src, indexPath("include", i), path, chain); err != nil {
			return err
		}
	}
	for i, name := range guest.Profiles {
		key := indexPath("profiles", i)
		if err := checkProfile(guest.Profiles, i); err != nil {
			return src.error(key, "%s", err)
		}
		if err := s.include(src, key, filepath.Join(s.layers.Profiles, name+".toml"), chain); err != nil {
			return err
		}
	}
	s.sources = append(s.sources, src)
	return nil
}

// include adds the file at a path, which a key of a source names.
func (s *stack) include(from *source, key, path string, chain []string) error {
	data, real, err := s.layers.read(path)
	if err != nil {
		var place *ParseError
		if errors.As(err, &place) {
			return from.error(key, "%s %s", place.File, place.Msg)
		}
		return from.error(key, "cannot read %s: %s", path, err)
	}
	chain = append(slices.Clip(chain), real)
	switch {
	case slices.Contains(chain[:len(chain)-1], real):
		return from.error(key, "files include one another: %s", strings.Join(chain[slices.Index(chain, real):], " -> "))
	case len(chain) > maxLayerDepth+1:
		return from.error(key, "files include one another more than %d deep: %s", maxLayerDepth, strings.Join(chain, " -> "))
	case len(s.sources) >= maxLayers:
		return from.error(key, "more than %d files are included", maxLayers)
	}
	src := &source{file: real, data: data}
	guest, err := src.alone()
	if err != nil {
		return err
	}
	return s.push(src, guest, chain)
}

// read reads a file that only root can have written, or have another one take the place
// of. real is its path without links.
func (l *Layers) read(path string) (data []byte, real string, err error) {
	errTree := errors.New("it is in a guest's tree")
	if rootpath.InGuest(path, l.Guests) {
		return nil, "", errTree
	}
	fd, err := rootpath.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", errors.New("there is no such file")
	}
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(fd)
	real = rootpath.Of(fd)
	if rootpath.InGuest(real, l.Guests) {
		return nil, "", errTree
	}
	// Only a regular file is opened: nothing happens to what is only looked at, and who
	// opens a pipe may wait for good.
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, "", fmt.Errorf("fstat: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, "", errors.New("it is not a regular file")
	}
	file, err := os.Open("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil, "", fmt.Errorf("cannot open: %s", cause(err))
	}
	defer file.Close()
	data, _, err = readTrusted(file, real)
	return data, real, err
}

// checkProfile checks the i-th name of a profile, which is a file's.
func checkProfile(names []string, i int) error {
	name := names[i]
	if first := slices.Index(names, name); first < i {
		return fmt.Errorf("%s is named twice: it is profiles[%d] already", show(name), first)
	}
	if err := CheckName(name); err != nil {
		return fmt.Errorf("%s is not the name of a profile: it is formed like a guest's", show(name))
	}
	return nil
}
