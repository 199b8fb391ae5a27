package sandbox

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"

	"plexy/internal/card"
	"plexy/internal/connector"
)

// version is that of EMV 3-D Secure whose messages these are. They have the fields that the simulator looks
// at or a 3-D Secure server would; what only a certified one needs is left out.
const version = "2.2.0"

// The message types.
const (
	typeAReq  = "AReq"
	typeARes  = "ARes"
	typeCReq  = "CReq"
	typeCRes  = "CRes"
	typeError = "Erro"
)

// areq asks the directory about a card. Its number shows itself masked when the message is written.
type areq struct {
	MessageType     string      `json:"messageType"`
	MessageVersion  string      `json:"messageVersion"`
	ServerID        string      `json:"threeDSServerTransID"`
	MethodDone      string      `json:"threeDSCompInd"`
	ChallengeWanted string      `json:"threeDSRequestorChallengeInd"` // 01 no preference, 05 exempted
	Number          card.Number `json:"acctNumber"`
	Expiry          string      `json:"cardExpiryDate"` // YYMM
	Amount          string      `json:"purchaseAmount"` // minor units
	Currency        string      `json:"purchaseCurrency"`
	Exponent        string      `json:"purchaseExponent"`
	Category        string      `json:"messageCategory"` // 01 payment, 02 no payment
	Merchant        string      `json:"merchantName"`
	Notification    string      `json:"notificationURL"`
	UserAgent       string      `json:"browserUserAgent"`
	Accept          string      `json:"browserAcceptHeader"`
	Language        string      `json:"browserLanguage"`
}

// ares is the directory's answer.
type ares struct {
	MessageType    string                 `json:"messageType"`
	MessageVersion string                 `json:"messageVersion"`
	ServerID       string                 `json:"threeDSServerTransID"`
	DirectoryID    string                 `json:"dsTransID"`
	ACSID          string                 `json:"acsTransID"`
	Status         connector.TransStatus  `json:"transStatus"`
	Reason         connector.StatusReason `json:"transStatusReason,omitempty"`
	ECI            string                 `json:"eci,omitempty"`
	Value          string                 `json:"authenticationValue,omitempty"`
	ACSURL         string                 `json:"acsURL,omitempty"`
	Mandated       string                 `json:"acsChallengeMandated,omitempty"` // Y or N
}

// creq opens a challenge in the payer's browser.
type creq struct {
	MessageType    string `json:"messageType"`
	MessageVersion string `json:"messageVersion"`
	ServerID       string `json:"threeDSServerTransID"`
	ACSID          string `json:"acsTransID"`
	WindowSize     string `json:"challengeWindowSize"`
}

// cres ends a challenge. What the issuer tells the 3-D Secure server beside it (in an RReq, which the
// simulator does not send) is in the extension, sealed: the browser that brings it cannot change it.
type cres struct {
	MessageType    string      `json:"messageType"`
	MessageVersion string      `json:"messageVersion"`
	ServerID       string      `json:"threeDSServerTransID"`
	ACSID          string      `json:"acsTransID"`
	Status         string      `json:"transStatus,omitempty"`
	Extensions     []extension `json:"messageExtension,omitempty"`
	ErrorCode      string      `json:"errorCode,omitempty"` // of an Erro, as what follows
	ErrorBy        string      `json:"errorComponent,omitempty"`
	ErrorAbout     string      `json:"errorMessageType,omitempty"`
	ErrorDetail    string      `json:"errorDescription,omitempty"`
}

type extension struct {
	Name     string `json:"name"`
	ID       string `json:"id"`
	Critical bool   `json:"criticalityIndicator"`
	Data     result `json:"data"`
}

// result is the sealed end of a challenge.
type result struct {
	Reason      connector.StatusReason `json:"transStatusReason,omitempty"`
	CancelledBy string                 `json:"challengeCancel,omitempty"`
	Seal        string                 `json:"seal"`
}

// methodData is what the browser carries to the method's page, and back.
type methodData struct {
	ServerID     string `json:"threeDSServerTransID"`
	Notification string `json:"threeDSMethodNotificationURL,omitempty"`
}

// encode writes a message as browsers carry it: JSON as base64url without padding.
func encode(message any) string {
	text, err := json.Marshal(message)
	if err != nil {
		panic("sandbox: texts cannot fail to encode")
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// maxMessage bounds what is read of a message, in characters.
const maxMessage = 16 << 10

var errMessage = errors.New("it is no message of 3-D Secure")

// decode reads a message that a browser brought; padding is let pass.
func decode(text string, message any) error {
	if len(text) > maxMessage {
		return errMessage
	}
	plain, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || json.Unmarshal(plain, message) != nil {
		return errMessage
	}
	return nil
}
