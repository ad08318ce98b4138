package session

import "time"

// The inquiry schedule. It is printed into the docs by go generate.
const (
	firstLook = 300 * time.Millisecond // after a call that the gateway is working on: most are decided by then
	fastFor   = 5 * time.Minute        // every 3 s, then every 5 s
	fastFirst = 3 * time.Second
	fastLater = 5 * time.Second
	fastTurn  = 30 * time.Second // when 3 s become 5 s
)

// slowSchedule follows the fast loop; then every hour until reviewAfter.
var slowSchedule = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

const (
	hourly      = time.Hour
	reviewAfter = 7 * 24 * time.Hour
)

// The place in a schedule is the time since the last news, never a count: inquiries that a merchant, a callback or a visitor of
// the return address causes do not shorten it.

// inquiryAfter tells in how long the next inquiry is due, so long after the last news, and false when the schedule has
// ended and a person has to look. unclear skips the fast loop.
func inquiryAfter(since time.Duration, unclear bool) (time.Duration, bool) {
	switch {
	case since < fastFor && unclear:
		return slowSchedule[0], true
	case since < fastTurn:
		return fastFirst, true
	case since < fastFor:
		return fastLater, true
	case since >= reviewAfter:
		return 0, false
	}
	return nextOf(slowSchedule, hourly, since-fastFor), true
}

// nextOf is how long it is to the next inquiry, so long after the first one was scheduled from: inquiries follow each other at
// those distances, and then at the distance then.
func nextOf(distances []time.Duration, then, since time.Duration) time.Duration {
	since = max(0, since) // the clock may have gone back
	at := time.Duration(0)
	for _, d := range distances {
		if at += d; at > since {
			return at - since
		}
	}
	return then - (since-at)%then
}

// While the browser has something to do the gateway is asked now and then: the shopper may have finished and never
// come back.
var shopperSchedule = []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute}

const (
	shopperThen  = time.Minute      // after the schedule, until lostAfter
	lostAfter    = 30 * time.Minute // then the shopper is not expected back
	shopperAtEnd = 5 * time.Minute  // until the order is closed or outlived
)

// shopperAfter tells in how long the next inquiry is due, so long after the step was stored.
func shopperAfter(since time.Duration) time.Duration {
	if since >= lostAfter {
		return shopperAtEnd
	}
	return nextOf(shopperSchedule, shopperThen, since)
}

// shopperAfter tells in how long the next inquiry about an attempt is due whose shopper is awaited. A gateway that goes on naming
// new steps is asked as if it had named the first one only.
func (a *Attempt) shopperAfter(now time.Time) time.Duration {
	if a.StepN > maxCalls {
		return shopperAfter(now.Sub(a.CreatedAt))
	}
	return shopperAfter(now.Sub(a.StepAt))
}

// After a failure that the gateway did not state itself it is asked again: an approval may come late.
var recheckSchedule = []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// recheckAfter tells in how long an attempt that ended so long ago is inquired about again; false where it no longer is.
func recheckAfter(since time.Duration) (time.Duration, bool) {
	return laterOf(recheckSchedule, since)
}

// laterOf is how long it is to the next of some moments at those distances; false after the last.
func laterOf(distances []time.Duration, since time.Duration) (time.Duration, bool) {
	since = max(0, since)
	at := time.Duration(0)
	for _, d := range distances {
		if at += d; at > since {
			return at - since, true
		}
	}
	return 0, false
}

// A declined attempt is looked at again where the gateway says that a final status may still change.
var declinedSchedule = []time.Duration{10 * time.Minute, 50 * time.Minute} // 10 min and 1 h after the news

// A payment that succeeded is looked at again, so long after its last news: what is done in the gateway's own cabinet, by the
// bank or by time is learned even where no callback comes.
var lookSchedule = []time.Duration{time.Hour, 23 * time.Hour, 48 * time.Hour} // 1 h, 1 d and 3 d after the news

const (
	lookThen = 7 * 24 * time.Hour
	// followForDefault is how long a payment without an open hold is looked at after its last news.
	followForDefault = 45 * 24 * time.Hour
	// A look without an answer is made again by the slow schedule, for a day; then the plain schedule goes on.
	lookAgainFor = 24 * time.Hour
	// CallbackGap is the least time between two inquiries about one payment that callbacks cause.
	CallbackGap = 3 * time.Second
)

// lookAfter tells in how long a payment is looked at again, so long after its last news; false where it no longer is. A hold
// that lives is looked at for as long as it lives.
func lookAfter(since, followFor time.Duration, hold bool) (time.Duration, bool) {
	wait := nextOf(lookSchedule, lookThen, since)
	return wait, hold || since+wait <= followFor
}

// endsUnasked is how long after its expiry a session ends although the gateway has not answered what it knows of it; until then it
// is asked by slowSchedule.
const endsUnasked = 24 * time.Hour

// A card that a payment was to save is asked for after the payment, and again after each of these while the gateway names none.
var rememberSchedule = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// resendAfter is how long to wait before an answer is sent to the gateway again after n failed calls: 3 s, 6 s, 12 s … 1 min.
func resendAfter(n int) time.Duration {
	return min(fastFirst<<min(n-1, 10), time.Minute)
}

// Deadlines by our clock.
const (
	// MethodWait is how long a 3DS Method may take: ten seconds by EMV 3DS 2.1 and 2.2 (docs/threeds.md §1), counted
	// from the moment the frames are shown, and half a second for the frames to load.
	MethodWait  = 10*time.Second + methodLoads
	methodLoads = 500 * time.Millisecond
	// methodLongest is the most that an account may give a Method.
	methodLongest = 30 * time.Second
	// ChallengeWait is how long a shopper may take at the bank before the order is closed: ACS pages allow ten minutes
	// for each of their own pages.
	ChallengeWait = 15 * time.Minute
	// SubmitWait is how long the card's POST waits for the first news before it answers.
	SubmitWait = 2 * time.Second
)
