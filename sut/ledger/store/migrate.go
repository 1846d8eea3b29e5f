package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// monthsAhead is how many months after the current one have a partition once
// the schema is up to date.
const monthsAhead = 2

// A Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string    // of its file
	Applied time.Time // clock of the database; zero if it is not applied
}

// Migrate brings the schema up to date, with partitions for the months to
// come, and returns its version. Instances that migrate at the same time wait
// for each other.
//
// The URL must lead straight to the primary: the lock belongs to a session,
// and a pooler in transaction mode would lend the session to others.
func Migrate(ctx context.Context, url string, log *slog.Logger) (version int64, err error) {
	err = migrating(url, log, func(provider *goose.Provider, db *sql.DB) error {
		if _, upErr := provider.Up(ctx); upErr != nil {
			return fmt.Errorf("migrate database: %w", upErr)
		}
		if version, err = provider.GetDBVersion(ctx); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		return addMonthsAhead(ctx, db)
	})
	return version, err
}

// MigrateDown takes the schema back to a version, 0 for an empty database, and
// the data with it that the version has no place for. It returns the version
// that is left. The URL and others that migrate: see [Migrate].
func MigrateDown(ctx context.Context, url string, to int64, log *slog.Logger) (version int64, err error) {
	err = migrating(url, log, func(provider *goose.Provider, _ *sql.DB) error {
		if _, downErr := provider.DownTo(ctx, to); downErr != nil {
			return fmt.Errorf("migrate database down: %w", downErr)
		}
		if version, err = provider.GetDBVersion(ctx); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		return nil
	})
	return version, err
}

// Migrations returns all steps of the schema in their order, and which of them
// the database has. It changes nothing, except that it makes the table in which
// that is kept.
func Migrations(ctx context.Context, url string, log *slog.Logger) (steps []Migration, err error) {
	err = migrating(url, log, func(provider *goose.Provider, _ *sql.DB) error {
		states, statusErr := provider.Status(ctx)
		if statusErr != nil {
			return fmt.Errorf("read state of migrations: %w", statusErr)
		}
		for _, s := range states {
			steps = append(steps, Migration{Version: s.Source.Version, Name: s.Source.Path, Applied: s.AppliedAt})
		}
		return nil
	})
	return steps, err
}

// migrating calls do with what it takes to migrate.
func migrating(url string, log *slog.Logger, do func(*goose.Provider, *sql.DB) error) (err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return errBadURL
	}
	cfg.ConnectTimeout = connectTimeout
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()

	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return fmt.Errorf("create migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
	if err != nil {
		return fmt.Errorf("load migrations: %w", err)
	}
	return do(provider, db)
}

// addMonthsAhead adds the partitions of the months to come.
func addMonthsAhead(ctx context.Context, db *sql.DB) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to add partitions: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(driver any) error {
		c := driver.(*stdlib.Conn).Conn() //nolint:forcetypeassert // it is that of OpenDB
		return wrap("add partitions", ensureMonthsFromNow(ctx, c, monthsAhead+1))
	})
}
