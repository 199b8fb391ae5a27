package id_test

import (
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/oklog/ulid/v2"

	"plexy/internal/id"
)

func TestIDsOfOneProcessSortAsMade(t *testing.T) {
	m := id.NewMaker()
	made := make([]string, 50_000)
	for i := range made {
		made[i] = id.WithBook(id.Transaction, m.Stem(), (i*7919)%id.Books)
	}
	if !sort.StringsAreSorted(made) {
		t.Fatal("an id made later sorts earlier")
	}
	for i := 1; i < len(made); i++ {
		if made[i] == made[i-1] {
			t.Fatal("an id was made twice")
		}
	}
}

func TestIDCarriesItsBook(t *testing.T) {
	m := id.NewMaker()
	for book := range id.Books {
		s := id.WithBook(id.Transaction, m.Stem(), book)
		if got, ok := id.Book(id.Transaction, s); !ok || got != book {
			t.Fatalf("book of %s is %d, %v; want %d", s, got, ok, book)
		}
		if _, err := ulid.ParseStrict(strings.TrimPrefix(s, id.Transaction)); err != nil {
			t.Fatalf("%s is not a ULID: %v", s, err)
		}
	}
}

func TestBookRefusesWhatIsNoID(t *testing.T) {
	good := id.NewMaker().New(id.Transaction)
	for _, s := range []string{
		"", "wt_", good[:len(good)-1], good + "0", strings.ToLower(good), "wx_" + good[3:],
		good[:len(good)-1] + "U", good[:len(good)-2] + "é", "wlt_" + good[3:],
	} {
		if _, ok := id.Book(id.Transaction, s); ok {
			t.Errorf("%q was taken for an id", s)
		}
	}
	if _, ok := id.Book(id.Transaction, "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12"); !ok {
		t.Error("the seed's sample id was refused")
	}
}

func TestManyMakersAtOnceMakeNoIDTwice(t *testing.T) {
	m := id.NewMaker()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			mine := make([]string, 5000)
			for i := range mine {
				mine[i] = m.New(id.Request)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range mine {
				if seen[s] {
					t.Errorf("%s was made twice", s)
				}
				seen[s] = true
			}
		})
	}
	wg.Wait()
}

func BenchmarkStem(b *testing.B) {
	m := id.NewMaker()
	for b.Loop() {
		m.Stem()
	}
}
