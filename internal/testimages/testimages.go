// Package testimages gives tests the images that they make guests from: built once, kept in a cache that outlives the tests, and
// found there in no time. It is for tests only.
package testimages

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sysct/sysct/pkg/images"
)

// defaultCache is used unless SYSCT_TEST_CACHE names another directory.
const defaultCache = "/var/cache/sysct-test"

// Cache is the cache directory of the tests. As a guest manager's cache directory it has the same images.
func Cache() string {
	if dir := os.Getenv("SYSCT_TEST_CACHE"); dir != "" {
		return dir
	}
	return defaultCache
}

// Store is where the images of the tests are.
func Store() *images.Store { return &images.Store{Dir: filepath.Join(Cache(), "images")} }

// Busybox gives the image of the busybox template.
func Busybox(t testing.TB) *images.Image {
	t.Helper()
	return Image(t, "busybox")
}

// Debian gives an image of the debian template. The mirror of a test machine may be out of date.
func Debian(t testing.TB, release string) *images.Image {
	t.Helper()
	return Image(t, "debian", DebianArgs(release)...)
}

// DebianArgs are the template arguments of Debian's images, for a test that creates a guest by them.
func DebianArgs(release string, more ...string) []string {
	return append([]string{"-r", release, "--allow-expired"}, more...)
}

// atOnce is how many images Prepare builds at a time: one fetches while another unpacks.
const atOnce = 2

// Prepare builds those of Debian's images that aren't there, several at a time. Each of debian is arguments of the template.
func Prepare(t testing.TB, debian ...[]string) {
	t.Helper()
	template, err := images.Find(nil, "debian")
	if err != nil {
		t.Fatal(err)
	}
	var builds sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for _, args := range debian {
		builds.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			recipe, err := template.Recipe(args)
			if err != nil {
				t.Error(err)
				return
			}
			image, err := Store().Ensure(t.Context(), recipe, t.Output(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := image.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	builds.Wait()
}

// Image gives the image of a built-in template with these arguments, and holds it until the test ends.
func Image(t testing.TB, template string, args ...string) *images.Image {
	t.Helper()
	found, err := images.Find(nil, template)
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := found.Recipe(args)
	if err != nil {
		t.Fatal(err)
	}
	image, err := Store().Ensure(t.Context(), recipe, t.Output(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := image.Close(); err != nil {
			t.Error(err)
		}
	})
	return image
}
