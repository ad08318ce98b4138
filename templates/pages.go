package templates

import "github.com/a-h/templ"

// Card is the card form.
func Card(p CardPage) templ.Component { return pageOf(p, drawCard) }

// SavedOffer is the button that the choice stands behind.
func SavedOffer(p SavedOfferPage) templ.Component { return pageOf(p, drawSavedOffer) }

// SavedCards is the choice between saved cards and a new one.
func SavedCards(p SavedCardsPage) templ.Component { return pageOf(p, drawSavedCards) }

// LoginPhone asks for the customer's phone.
func LoginPhone(p LoginPhonePage) templ.Component { return pageOf(p, drawLoginPhone) }

// LoginCode asks for the one-time code.
func LoginCode(p LoginCodePage) templ.Component { return pageOf(p, drawLoginCode) }

// LoginOver says that no further code is sent.
func LoginOver(p LoginOverPage) templ.Component { return pageOf(p, drawLoginOver) }

// Method runs the 3DS Method frames. The script stands before the frames, so that it listens before anything in them can
// speak.
func Method(p MethodPage) templ.Component { return pageOf(p, drawMethod) }

// MethodFrame is the document of a Method frame.
func MethodFrame(p MethodFramePage) templ.Component { return pageOf(p, drawMethodFrame) }

// MethodDone tells the page around the frame that the Method has come back.
func MethodDone(p MethodDonePage) templ.Component { return pageOf(p, drawMethodDone) }

// Challenge posts the shopper to the bank.
func Challenge(p ChallengePage) templ.Component { return pageOf(p, drawChallenge) }

// Leave sends the shopper to the bank or gateway by GET.
func Leave(p LeavePage) templ.Component { return pageOf(p, drawLeave) }

// ReturnTop opens the pay address in the whole window.
func ReturnTop(p ReturnTopPage) templ.Component { return pageOf(p, drawReturnTop) }

// ToTop leads from a frame to the whole window.
func ToTop(p ToTopPage) templ.Component { return pageOf(p, drawToTop) }

// SealStart begins a payment whose card the shopper's browser encrypts. Where it cannot, or there is no key to do it with, the
// gateway's own page takes the card.
func SealStart(p SealStartPage) templ.Component { return pageOf(p, drawSealStart) }

// SealedCard asks for the card of an order that is registered. Number, date and code have no name and stand in a form that no
// browser sends; the other form takes what the script made of them.
func SealedCard(p SealedCardPage) templ.Component { return pageOf(p, drawSealedCard) }

// Start begins a payment without a card form: in a bank's app, or on the gateway's own page.
func Start(p StartPage) templ.Component { return pageOf(p, drawStart) }

// Wait is shown while the server works.
func Wait(p WaitPage) templ.Component { return pageOf(p, drawWait) }

// Scan shows a QR picture and a link that opens the bank's app.
func Scan(p ScanPage) templ.Component { return pageOf(p, drawScan) }

// Result is the end of a payment.
func Result(p ResultPage) templ.Component { return pageOf(p, drawResult) }

// Home is what stands at the front's own address.
func Home(p HomePage) templ.Component { return pageOf(p, drawHome) }

// NotFound says that there is no such payment.
func NotFound(p NotFoundPage) templ.Component { return pageOf(p, drawNotFound) }

// Limited says that somebody has to wait.
func Limited(p LimitedPage) templ.Component { return pageOf(p, drawLimited) }

// Problem says that something went wrong.
func Problem(p ProblemPage) templ.Component { return pageOf(p, drawProblem) }

// Gallery lists the pages of the gallery, for people who work on them: its words are English in every language.
func Gallery(p GalleryPage) templ.Component { return pageOf(p, drawGallery) }
