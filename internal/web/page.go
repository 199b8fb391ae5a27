package web

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"sync"

	"github.com/a-h/templ"

	"plexy/internal/core/money"
	"plexy/internal/locale"
)

//go:embed assets texts
var embedded embed.FS

// Pages are the texts of one door over the shared ones. They are read when the first page is asked for; the
// pages themselves are components, compiled from files beside the code (see Makefile, generate).
type Pages struct {
	read func() (*texts, error)
}

// texts is what Pages reads.
type texts struct{ own, common locale.Catalogue }

// NewPages takes the files of a door: texts/kk.json, ru.json and en.json.
func NewPages(files fs.FS) *Pages {
	return &Pages{read: sync.OnceValues(func() (*texts, error) {
		own, err := catalogue(files)
		if err != nil {
			return nil, fmt.Errorf("read the texts: %w", err)
		}
		common, err := catalogue(embedded)
		if err != nil {
			return nil, fmt.Errorf("read the shared texts: %w", err)
		}
		return &texts{own, common}, nil
	})}
}

func catalogue(files fs.FS) (locale.Catalogue, error) {
	folder, err := fs.Sub(files, "texts")
	if err != nil {
		return nil, err
	}
	return locale.Read(folder)
}

// Page is one page: what its layout needs, and what is in it.
type Page struct {
	Title string
	Home  string // where the name of the site leads; "" for nowhere
	Main  templ.Component
	// Script is the address of the page's script; "" for none. The visit's Policy must allow it.
	Script string
	// Narrow is for pages with one form and one decision.
	Narrow bool
}

// Frame is how a page says things to who visits it.
type Frame struct {
	visit *Visit
	texts *texts
}

// Choice is one language that a page offers.
type Choice struct {
	Tag, Name, Address string
	Current            bool
}

// T is a text of the door, or one that all doors share.
func (f *Frame) T(key string, pairs ...string) string {
	if f.texts.own.Has(key) {
		return f.texts.own.Text(f.visit.Language, key, pairs...)
	}
	return f.texts.common.Text(f.visit.Language, key, pairs...)
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

// Choices are the languages, each with this page's address in it.
func (f *Frame) Choices() []Choice {
	var all []Choice
	for _, l := range locale.Languages() {
		query := f.visit.Request.URL.Query()
		query.Set(languageField, string(l))
		all = append(all, Choice{
			Tag: string(l), Name: f.texts.common.Text(l, "language.name"),
			Address: f.visit.Request.URL.Path + "?" + query.Encode(), Current: l == f.visit.Language,
		})
	}
	return all
}

// Frame returns how to say things to a visit.
func (p *Pages) Frame(v *Visit) (*Frame, error) {
	texts, err := p.read()
	return &Frame{visit: v, texts: texts}, err
}

// Show answers with the page that compose makes. Trouble while making it is a 500 without a page, and is
// logged.
func (p *Pages) Show(v *Visit, status int, compose func(*Frame) Page) {
	body, err := p.render(v, compose)
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

// render makes a page in memory, so that half a page is never sent.
func (p *Pages) render(v *Visit, compose func(*Frame) Page) ([]byte, error) {
	f, err := p.Frame(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	page := compose(f)
	if err := layout(f, page).Render(v.Request.Context(), &b); err != nil {
		return nil, fmt.Errorf("make the page %s: %w", page.Title, err)
	}
	return b.Bytes(), nil
}

// Sorry answers with the page that says what is wrong; what names the texts sorry.WHAT.title and
// sorry.WHAT.text. home is where its link leads, "" for no link.
func (p *Pages) Sorry(v *Visit, status int, what, home string) {
	p.Show(v, status, func(f *Frame) Page {
		return Page{Title: f.T("sorry." + what + ".title"), Home: home, Main: sorry(f, what, home)}
	})
}

// Data answers with something that is no page, for a page to show or to read.
func (v *Visit) Data(kind string, content []byte) {
	v.secure()
	v.Header().Set("Content-Type", kind)
	v.WriteHeader(http.StatusOK)
	if v.Request.Method != http.MethodHead {
		_, _ = v.Write(content) // a browser that went away is no trouble
	}
}

// File answers with a file to be saved under a name.
func (v *Visit) File(name, kind string, content []byte) {
	v.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	v.Data(kind, content)
}

// Here is the address of the visited page without the choice of a language in it.
func (v *Visit) Here() string {
	query := v.Request.URL.Query()
	query.Del(languageField)
	here := url.URL{Path: v.Request.URL.Path, RawQuery: query.Encode()}
	return here.String()
}
