package sqlstore

import (
	"errors"
	"os"
	"syscall"
)

var errFolderInUse = errors.New("another Tollgate is using it")

// lockFolder holds the file until it is closed or the process dies, however it dies.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errFolderInUse
		}
		return nil, err
	}
	return f, nil
}
