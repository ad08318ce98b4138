# Tollgate in an image of its own: one static binary, the roots of trust, nothing else. Built with: docker build -t tollgate .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /tollgate . && mkdir -p /empty

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /tollgate /tollgate
COPY --from=build --chown=65532:65532 --chmod=0700 /empty /var/lib/tollgate
USER 65532:65532
VOLUME /var/lib/tollgate
EXPOSE 8080
STOPSIGNAL SIGTERM
# A stop drains for 30 s: docker stop -t 45, or terminationGracePeriodSeconds: 45.
ENTRYPOINT ["/tollgate"]
CMD ["serve", "-config", "/etc/tollgate/tollgate.toml"]
