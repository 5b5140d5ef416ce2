# Red Hand in a container. The landing address must be given, because visitors cannot reach a container's loopback:
#
#   docker run -p 53:5300/udp -p 53:5300/tcp -p 80:8080 -v redhand:/var/lib/redhand \
#     -e REDHAND_RESOLVER__LANDING_ADDRESSES='["203.0.113.80"]' \
#     -e REDHAND_RESOLVER__UPSTREAMS='[{address: 192.0.2.53}]' redhand
#
# Without it the container says so and ends with exit code 2. The container's own resolver configuration gives the upstreams unless they are set.
# Real orders need -e REDHAND_FEED__URLS='["https://…"]' and REDHAND_FEED__ROOT; without them, and without a settings file, it shows a demonstration.
# Clients are seen behind the container network's address translation: use --network host where groups or the allow list matter.

FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY redhand redhand
COPY blocklists blocklists
COPY resolver resolver
COPY landing landing
COPY authority authority
COPY porosity porosity
RUN python -m venv /opt/redhand && /opt/redhand/bin/pip install --no-cache-dir --disable-pip-version-check .

FROM python:3.11-slim
RUN groupadd --system --gid 5300 redhand \
    && useradd --system --uid 5300 --gid redhand --home-dir /var/lib/redhand --create-home --shell /usr/sbin/nologin redhand
COPY --from=build /opt/redhand /opt/redhand
ENV PATH=/opt/redhand/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    REDHAND_STATE_DIR=/var/lib/redhand \
    REDHAND_RESOLVER__LISTEN='["0.0.0.0:5300"]' \
    REDHAND_LANDING__LISTEN='["0.0.0.0:8080"]'
USER redhand
WORKDIR /var/lib/redhand
VOLUME /var/lib/redhand
EXPOSE 5300/udp 5300/tcp 8080/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["redhand", "status", "--probe"]
ENTRYPOINT ["redhand"]
CMD ["run"]
