package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date and returns its version. Instances that
// migrate at the same time wait for each other.
//
// The URL must lead straight to the primary: the lock belongs to a session,
// and a pooler in transaction mode would lend the session to others.
func Migrate(ctx context.Context, url string, log *slog.Logger) (version int64, err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return 0, errBadURL
	}
	cfg.ConnectTimeout = connectTimeout
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()

	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, fmt.Errorf("open migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return 0, fmt.Errorf("create migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
	if err != nil {
		return 0, fmt.Errorf("load migrations: %w", err)
	}
	if _, err = provider.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate database: %w", err)
	}
	if version, err = provider.GetDBVersion(ctx); err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	return version, nil
}

// Seed sees to it that accounts 1 to n exist and returns how many it made.
// Accounts that exist are left as they are.
func Seed(ctx context.Context, url string, n int, currency string, opening int64) (created int64, err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return 0, errBadURL
	}
	harden(cfg)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return 0, fmt.Errorf("seed accounts: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	tag, err := conn.Exec(ctx, `
		INSERT INTO accounts (id, owner, currency, opening, balance)
		SELECT id, 'owner ' || id, $2::text, $3::bigint, $3::bigint FROM generate_series(1, $1::bigint) AS id
		ON CONFLICT (id) DO NOTHING`, n, currency, opening)
	if err = errors.Join(err, takeWarning(conn.PgConn())); err != nil {
		return 0, fmt.Errorf("seed accounts: %w", err)
	}
	return tag.RowsAffected(), nil
}
