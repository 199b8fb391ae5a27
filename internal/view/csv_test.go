package view_test

import (
	"strings"
	"testing"

	"plexy/internal/event"
	"plexy/internal/view"
)

func TestDeliveriesAsCSV(t *testing.T) {
	var b strings.Builder
	c := view.NewDeliveriesCSV(&b)
	c.Add(&event.Delivery{
		ID: "whd_1", Number: 7, Object: "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Sequence: 2, Name: "=cmd()",
		State: event.Dead, Attempts: 11, Replay: true, CreatedAt: 1, UpdatedAt: 2_000_000,
		URL: "=https://shop.kz",
	})
	c.Add(&event.Delivery{ID: "whd_2", Name: "wallet.transaction.captured", State: event.Waiting})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "deliveryId,eventId,eventNumber,eventName,state,attempts,isReplay,outOfOrder,createdAt," +
		"updatedAt,url\r\n" +
		"whd_1,evt_01JDM3Z7V8H8Q2X9K0R1ABCD12_2,7,'=cmd(),dead,11,true,false,1970-01-01T00:00:00.000001Z," +
		"1970-01-01T00:00:02.000000Z,'=https://shop.kz\r\n" +
		"whd_2,,,wallet.transaction.captured,waiting,0,false,false,1970-01-01T00:00:00.000000Z," +
		"1970-01-01T00:00:00.000000Z,\r\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a=b": "a=b", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@a": "'@a", "\t=1": "'\t=1", "|a": "'|a",
	} {
		if got := view.Harmless(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}
