package handlers

import (
	"fmt"

	"tollgate/providers"
	"tollgate/session"
)

// pageKind is one of the pages at the one address.
type pageKind string

// The pages. Those of pageStart differ by what the account asks for first, those of pageEnd by the session's status.
const (
	pageStart    pageKind = "start"    // nobody is paying and somebody may: login, saved cards, a button or the card form
	pageEnd      pageKind = "end"      // the session has ended
	pageLogin    pageKind = "login"    // the payment under way has lost its customer
	pageMethod   pageKind = "method"   // the hidden frames of a 3DS Method
	pageBank     pageKind = "bank"     // a form that goes to the bank
	pageGateway  pageKind = "gateway"  // on to a page of the gateway's that we hold
	pageRedirect pageKind = "redirect" // on to an address of the gateway's
	pageScan     pageKind = "scan"     // a code for the bank's app
	pageCard     pageKind = "card"     // the same card once more
	pageWorking  pageKind = "working"  // the gateway is working
	pageChecking pageKind = "checking" // an answer is overdue or cannot be trusted
)

// view is the page that a session is at; equal views show the same page.
type view struct {
	page    pageKind
	status  session.Status // where nobody is paying
	attempt int            // where nobody is paying, how many there were; else, at a step, whose
	step    int            // its number in the attempt
}

// viewOf is where a session is.
func viewOf(s *session.Session) view {
	a := s.Live()
	if a == nil {
		at := view{pageEnd, s.Status(), len(s.Attempts), 0}
		if at.status == session.StatusOpen {
			at.page = pageStart
		}
		return at
	}
	if s.LoginLost() {
		return view{page: pageLogin}
	}
	switch a.State {
	case session.New, session.Calling, session.Gateway:
		if a.Blind {
			return view{page: pageChecking}
		}
		return view{page: pageWorking}
	case session.Shopper:
		if p, ok := stepPage(a); ok {
			return view{p, "", a.N, a.StepN}
		}
		return view{page: pageWorking}
	}
	return view{page: pageChecking}
}

// stepPage is the page of what an attempt's browser has to do; false where that is done and the gateway has to answer.
func stepPage(a *session.Attempt) (pageKind, bool) {
	if a.Step == nil || !a.Run().ReturnedAt.IsZero() {
		return "", false
	}
	switch a.Step.Kind {
	case providers.Method:
		return pageMethod, a.Run().NotifiedAt.IsZero()
	case providers.Challenge, providers.PayerPage:
		return pageBank, true
	case providers.Page:
		return pageGateway, true
	case providers.Redirect:
		return pageRedirect, true
	case providers.Scan:
		return pageScan, true
	case providers.AskCard:
		return pageCard, true
	}
	return "", false
}

// String is the view as the page's live wait names it.
func (v view) String() string {
	switch v.page {
	case pageStart, pageEnd:
		return fmt.Sprintf("end %s %d", v.status, v.attempt)
	case pageLogin, pageWorking, pageChecking:
		return string(v.page)
	}
	return fmt.Sprintf("step %d %d", v.attempt, v.step)
}
