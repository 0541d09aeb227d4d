package guest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// credentials are the guest's, with the contents of those that are in files of the host.
// What is wrong is ErrConfig, and names the key but never the content.
func credentials(cfg *spec.Guest) ([]sysctx.Credential, error) {
	var list []sysctx.Credential
	size := 0
	for _, name := range slices.Sorted(maps.Keys(cfg.Credentials)) {
		c := cfg.Credentials[name]
		data, err := content(&c)
		if err != nil {
			return nil, as(ErrConfig, fmt.Errorf("credentials.%s: %w", name, err))
		}
		if size += len(name) + len(data); size > spec.MaxCredentials {
			return nil, as(ErrConfig, fmt.Errorf("credentials.%s: all credentials are more than %d bytes", name, spec.MaxCredentials))
		}
		list = append(list, sysctx.Credential{Name: name, Data: data})
	}
	return list, nil
}

func content(c *spec.Credential) ([]byte, error) {
	if c.File == "" {
		return c.Bytes()
	}
	// Not to wait for who writes a pipe, nor to read a device.
	fd, err := unix.Open(c.File, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", c.File, err)
	}
	f := os.NewFile(uintptr(fd), c.File)
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", c.File)
	}
	data, err := io.ReadAll(io.LimitReader(f, spec.MaxCredentials+1))
	if err != nil {
		return nil, err
	}
	if len(data) > spec.MaxCredentials {
		return nil, errors.New(c.File + " is larger than 1 MiB")
	}
	return data, nil
}
