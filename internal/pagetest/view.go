package pagetest

import (
	"bytes"
	_ "embed"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1, which finds what a person with other eyes or hands cannot use.
//
//go:embed axe/axe.min.js
var axe string

// view is one way to look at a page.
type view struct {
	name  string
	width int64
	dark  bool
}

var views = []view{
	{"320-light", 320, false}, {"360-light", 360, false}, {"360-dark", 360, true}, {"1280-light", 1280, false},
	{"1280-dark", 1280, true},
}

// EveryView looks at the page in every window and colour. Axe must find nothing, nothing must be scrolled
// sideways, what is touched has 44 pixels, nothing is as large as the amount that is the page's point, and
// the picture shows something, dark where it should be. The pictures are among the test's artifacts.
func (t *Tab) EveryView(name string) {
	t.Helper()
	var light float64
	for _, v := range views {
		t.look(v)
		t.Accessible(name + " " + v.name)
		t.fits(name, v)
		brightness := t.shoot(name, v)
		if !v.dark {
			light = brightness
		} else if brightness > light/2 {
			t.Errorf("%s %s is not dark: %.2f against %.2f", name, v.name, brightness, light)
		}
	}
}

// look sets the size and the colours of the window.
func (t *Tab) look(v view) {
	t.Helper()
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(t.Ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: v.width, Height: 800, DeviceScaleFactor: 1, Mobile: v.width < 500,
	})
	t.OK(err)
	_, err = chromedp.Call(t.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	t.OK(err)
}

// Accessible runs axe on the page.
func (t *Tab) Accessible(name string) {
	t.Helper()
	if !Evaluate[bool](t, "typeof axe === 'object'") {
		Evaluate[int](t, axe+"\n;0")
	}
	found := Evaluate[struct {
		Rules      int `json:"rules"`
		Violations []struct {
			ID    string `json:"id"`
			Help  string `json:"help"`
			Nodes []struct {
				HTML string `json:"html"`
				Why  string `json:"failureSummary"`
			} `json:"nodes"`
		} `json:"violations"`
	}](t, "axe.run().then(r => ({rules: r.passes.length, violations: r.violations}))", chromedp.EvalAwaitPromise)
	if found.Rules < 10 {
		t.Errorf("%s: axe applied %d rules; it did not look", name, found.Rules)
	}
	for _, v := range found.Violations {
		t.Errorf("%s: %s (%s): %+v", name, v.ID, v.Help, v.Nodes)
	}
}

const sizeScript = `(() => { const touched = 'button, input:not([type=hidden]):not(label input), ' +
	'label:has(input), nav a, .button, summary';
	const small = [...document.querySelectorAll(touched)]
	.filter(e => !e.hidden && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML);
	const size = e => parseFloat(getComputedStyle(e).fontSize);
	const hero = document.querySelector('.hero');
	const larger = hero ? [...document.querySelectorAll('main *')]
	.filter(e => e !== hero && !e.matches('.hero') && size(e) >= size(hero)).map(e => e.outerHTML) : [];
	return {wide: document.documentElement.scrollWidth, small: small, larger: larger}; })()`

// fits checks the sizes.
func (t *Tab) fits(name string, v view) {
	t.Helper()
	size := Evaluate[struct {
		Wide   int64    `json:"wide"`
		Small  []string `json:"small"`
		Larger []string `json:"larger"`
	}](t, sizeScript)
	if size.Wide > v.width {
		t.Errorf("%s is %d pixels wide in a window of %d", name, size.Wide, v.width)
	}
	for _, small := range size.Small {
		t.Errorf("%s %s: too small to touch: %s", name, v.name, small)
	}
	for _, larger := range size.Larger {
		t.Errorf("%s %s: larger than the amount: %s", name, v.name, larger)
	}
}

// shoot takes a picture, checks that it shows something of the right size, and returns how bright it is, from
// 0 to 1.
func (t *Tab) shoot(name string, v view) float64 {
	t.Helper()
	taken, err := chromedp.Run(t.Ctx, chromedp.FullScreenshot(100))
	t.OK(err)
	t.OK(os.WriteFile(filepath.Join(t.shots, name+"-"+v.name+".png"), taken, 0o644))
	picture, err := png.Decode(bytes.NewReader(taken))
	t.OK(err)
	size := picture.Bounds()
	if int64(size.Dx()) != v.width || size.Dy() < 300 {
		t.Errorf("%s %s: the picture has %v", name, v.name, size)
	}
	colours, bright := histogram(picture)
	if colours < 20 {
		t.Errorf("%s %s: the picture has %d colours: there is no text on it", name, v.name, colours)
	}
	return bright
}

// histogram counts the colours of a picture and says how bright it is on average.
func histogram(picture image.Image) (colours int, bright float64) {
	seen := map[[3]uint32]bool{}
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
			bright += float64(r+g+b) / (3 * 0xffff)
		}
	}
	return len(seen), bright / float64(size.Dx()*size.Dy())
}
