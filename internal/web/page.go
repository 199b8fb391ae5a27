package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"plexy/internal/core/money"
	"plexy/internal/locale"
)

//go:embed assets texts templates
var embedded embed.FS

// Pages are the templates and texts of one door. They are read when the first page is asked for.
type Pages struct {
	read func() (*set, error)
}

// set is what Pages reads: the door's texts over the shared ones, and its pages by name.
type set struct {
	texts  locale.Catalogue
	common locale.Catalogue
	pages  map[string]*template.Template
}

// NewPages takes the files of a door: texts/kk.json, ru.json and en.json, and templates/NAME.html, each of
// which defines "title" and "main".
func NewPages(files fs.FS) *Pages {
	return &Pages{read: sync.OnceValues(func() (*set, error) {
		s, err := read(files)
		if err != nil {
			return nil, fmt.Errorf("read the pages: %w", err)
		}
		return s, nil
	})}
}

func read(files fs.FS) (*set, error) {
	s := &set{pages: map[string]*template.Template{}}
	var err error
	if s.common, err = catalogue(embedded); err != nil {
		return nil, err
	}
	if s.texts, err = catalogue(files); err != nil {
		return nil, err
	}
	layout, err := template.ParseFS(embedded, "templates/layout.html")
	if err != nil {
		return nil, err
	}
	for _, source := range []fs.FS{embedded, files} {
		names, err := fs.Glob(source, "templates/*.html")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if name == "templates/layout.html" || name == "templates/parts.html" {
				continue
			}
			page, err := template.Must(layout.Clone()).ParseFS(source, name)
			if err != nil {
				return nil, err
			}
			s.pages[name[len("templates/"):len(name)-len(".html")]] = page
		}
	}
	return s, nil
}

func catalogue(files fs.FS) (locale.Catalogue, error) {
	texts, err := fs.Sub(files, "texts")
	if err != nil {
		return nil, err
	}
	return locale.Read(texts)
}

// Frame is what a template sees: who visits and how to say things to them, and the door's own data.
type Frame struct {
	Data any
	// Person is how the page names who is logged in, "" for nobody.
	Person string

	visit *Visit
	set   *set
}

// Choice is one language that a page offers.
type Choice struct {
	Tag, Name, Address string
	Current            bool
}

// T is a text of the door, or one that all doors share.
func (f *Frame) T(key string, pairs ...string) string {
	if f.set.texts.Has(key) {
		return f.set.texts.Text(f.visit.Language, key, pairs...)
	}
	return f.set.common.Text(f.visit.Language, key, pairs...)
}

// Language is the page's, as the html element names it.
func (f *Frame) Language() string { return string(f.visit.Language) }

// Token goes into every form.
func (f *Frame) Token() string { return f.visit.Token() }

// Amount writes minor units of a currency.
func (f *Frame) Amount(minor int64, c money.Currency) string {
	return f.visit.Language.Amount(minor, c)
}

// Time writes a moment.
func (f *Frame) Time(at int64) string { return f.visit.Language.Time(at) }

// Clock writes the hour and minute of a moment.
func (f *Frame) Clock(at int64) string { return f.visit.Language.Clock(at) }

// Number writes a whole number, for texts with values.
func (f *Frame) Number(n int) string { return strconv.Itoa(n) }

// Style is the address of the style sheet; it changes when the sheet does.
func (f *Frame) Style() string { return assets().style }

// Choices are the languages, each with this page's address in it.
func (f *Frame) Choices() []Choice {
	var all []Choice
	for _, l := range locale.Languages() {
		query := f.visit.Request.URL.Query()
		query.Set(languageField, string(l))
		all = append(all, Choice{
			Tag: string(l), Name: f.set.common.Text(l, "language.name"),
			Address: f.visit.Request.URL.Path + "?" + query.Encode(), Current: l == f.visit.Language,
		})
	}
	return all
}

// Text is a text of the door's in the visit's language, for what is written outside of templates.
func (p *Pages) Text(v *Visit, key string, pairs ...string) (string, error) {
	s, err := p.read()
	if err != nil {
		return "", err
	}
	return (&Frame{visit: v, set: s}).T(key, pairs...), nil
}

// Show answers with a page. Trouble while making it is a 500 without a page, and is logged.
func (p *Pages) Show(v *Visit, status int, page string, f Frame) {
	body, err := p.make(v, page, f)
	v.secure()
	if err != nil {
		v.Trouble = err
		http.Error(v.Exchange, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	v.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.Header().Set("Content-Language", string(v.Language))
	v.WriteHeader(status)
	if v.Request.Method != http.MethodHead {
		_, _ = v.Write(body) // a browser that went away is no trouble
	}
}

// File answers with a file to be saved under a name.
func (v *Visit) File(name, kind string, content []byte) {
	v.secure()
	h := v.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	v.WriteHeader(http.StatusOK)
	if v.Request.Method != http.MethodHead {
		_, _ = v.Write(content) // a browser that went away is no trouble
	}
}

// make renders into memory, so that half a page is never sent.
func (p *Pages) make(v *Visit, page string, f Frame) ([]byte, error) {
	s, err := p.read()
	if err != nil {
		return nil, err
	}
	f.visit, f.set = v, s
	var b bytes.Buffer
	if err := s.pages[page].ExecuteTemplate(&b, "layout.html", &f); err != nil {
		return nil, fmt.Errorf("make the page %s: %w", page, err)
	}
	return b.Bytes(), nil
}

// Sorry answers with the page that says what is wrong; what is one of the texts sorry.WHAT.title and
// sorry.WHAT.text. home is where its link leads.
func (p *Pages) Sorry(v *Visit, status int, what, home string) {
	p.Show(v, status, "sorry", Frame{Data: struct{ Title, Text, Home string }{
		"sorry." + what + ".title", "sorry." + what + ".text", home,
	}})
}

// Here is the address of the visited page without the choice of a language in it.
func (v *Visit) Here() string {
	query := v.Request.URL.Query()
	query.Del(languageField)
	here := url.URL{Path: v.Request.URL.Path, RawQuery: query.Encode()}
	return here.String()
}
