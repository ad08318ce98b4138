package handlers

import (
	"testing"

	"tollgate/templates"
)

func TestAPhoneIsReadAsPeopleWriteIt(t *testing.T) {
	const kz = "77011234567"
	for typed, want := range map[string]string{
		"+7 701 123-45-67": kz, "8 (701) 123-45-67": kz, "87011234567": kz, "7011234567": kz, "701 123 45 67": kz, "77011234567": kz, "007 701 1234567": kz, "8~10 7 701 123 45 67": kz,
		"+8 701 123 45 67": kz, "tel:+7-701-123-45-67": kz, "тел. 8 701 123 45 67": kz, "+7 (701) 123 45 67, доб. 5": kz, "8 701 123 45 67 (дом.)": kz, "8 701 123 45 67 ext 12": kz,
		"＋７ ７０１ １２３ ４５ ６７": kz, "٨٧٠١١٢٣٤٥٦٧": kz, "۸۷۰۱۱۲۳۴۵۶۷": kz, "\u202a+7\u00a0701\u2009123\u201145\u201167\u202c": kz, "+7\u00ad701\u00ad123\u00ad4567": kz,
		"+996 555 123 456": "996555123456", "00996555123456": "996555123456", "+998 90 123 45 67": "998901234567", "998901234567": "998901234567", "+49 151 23456789": "4915123456789",
		"+1 (415) 555-2671": "14155552671", "+44 20 7946 0958": "442079460958",
	} {
		if got, wrong := readPhone(typed); got != want || wrong != "" {
			t.Errorf("%q is read as %q, %q; want %s", typed, got, wrong, want)
		}
	}
	for typed, want := range map[string]templates.LoginError{
		"": templates.PhoneMissing, " \u200b\u00a0": templates.PhoneMissing, "no": templates.PhoneInvalid, "12345": templates.PhoneInvalid, "+7 701 123 45": templates.PhoneInvalid,
		"0555 123 456": templates.PhoneInvalid, "87011234567 87017654321": templates.PhoneInvalid, "4000 0199 0005 0008": templates.PhoneInvalid, "+7 701 123 45 678": templates.PhoneInvalid,
		"٤٠٠٠ ٠١٩٩ ٠٠٠٥ ٠٠٠٨": templates.PhoneInvalid, "1234567890123456": templates.PhoneInvalid,
	} {
		if got, wrong := readPhone(typed); got != "" || wrong != want {
			t.Errorf("%q is read as %q, %q; want %q", typed, got, wrong, want)
		}
	}
}

func TestAOneTimeCodeIsReadAsItIsPasted(t *testing.T) {
	for typed, want := range map[string]string{
		"111111": "111111", " 111 111 ": "111111", "111-111": "111111", "1 1 1 1 1 1": "111111", "1\u00a01\u20091\u202f1 1 1": "111111", "Код: 111111": "111111",
		"Ваш код подтверждения: 111 111. Никому его не говорите": "111111", "111111 is your code, valid for 5 minutes": "111111", "G-111111": "111111", "<#> 111111 kAq12": "111111",
		"１１１１１１": "111111", "١١١١١١": "111111", "۱۱۱۱۱۱": "111111", "११११११": "111111", "\u200e111\u00ad111\ufeff": "111111", "123": "123",
		"": "", "code": "", "4000 0199 0005 0008": "",
	} {
		if got := readCode(typed); got != want {
			t.Errorf("%q is read as %q, want %q", typed, got, want)
		}
	}
}
