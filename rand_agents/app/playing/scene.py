"""What the window of a game shows: the player's view, and beside it score and adversary."""

import textwrap

import numpy as np

from rand_agents.app.playing.session import Game
from rand_agents.app.window.sheet import Area, Line, Sheet
from rand_envs.rendering import Frame, render_frame, render_weights
from rand_envs.rendering.canvas import Canvas, Point, logical_point
from rand_envs.rendering.colors import BLUE, INK, LINE, MUTED, RIGHT, WRONG
from rand_envs.rendering.painter import Painter

WIDTH, HEIGHT = 1180, 760
BOARD_WIDTH = 640
SCORE_HEIGHT = 126
WRAP = 74


class PlayScene:
    """Draws a game, and knows what is where.

    Args:
        game: What is played.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        whole = Area(0, 0, WIDTH, HEIGHT)
        rest, self._keys = whole.rows(-38)
        self._banner, rest = rest.rows(52)
        left, right = rest.columns(BOARD_WIDTH)
        self._question, self._board = left.inner(10).rows(64)
        self._score, right = right.inner(10).rows(SCORE_HEIGHT)
        self._chart, self._below = right.rows(130)

    def pick(self, x: float, y: float) -> Point | None:
        """The point of the painter's picture at a pixel of the window; None beside it."""
        board = self._board
        x, y = x - board.x, y - board.y
        if not (0 <= x < board.width and 0 <= y < board.height):
            return None
        return logical_point(self.game.painter.size, board.size, (x, y))

    def __call__(self) -> Frame:
        """The picture of the window."""
        game, sheet = self.game, Sheet(WIDTH, HEIGHT)
        better = f"{game.score.better} {game.task.unit} is better"
        if game.task.unit == "success":
            better = "success is what counts"
        title = f"{game.task.env_id}: you against an adversary that learns"
        sheet.banner(self._banner, title, better)
        if game.phase == "over":
            self._paint_summary(sheet)
        else:
            title = f"Round {game.round} of {game.rounds}"
            frame = render_frame(
                game.task, game.states, game.actions, self._board.size, title, game.hand
            )
            sheet.paste(frame, self._board)
            sheet.card(self._question, self._says())
        sheet.card(self._score, game.score.lines("your mean"))
        self._paint_chart(sheet)
        self._paint_below(sheet)
        sheet.keys(self._keys, [(name, text, False) for name, text in self._help()])
        return sheet.pixels

    def _says(self) -> list[Line]:
        game = self.game
        if game.phase == "playing":
            return [Line(game.painter.question, "", 22)]
        color = {True: RIGHT, False: WRONG, None: INK}[game.painter.success]
        return [Line(f"{game.verdict()}. Press Enter to go on.", "", 24, color)]

    def _paint_summary(self, sheet: Sheet) -> None:
        lines = [Line("How good, and how predictable, you were", "", 28), Line("")]
        for sentence in self.game.summary():
            lines += [Line(part, "", 22) for part in textwrap.wrap(sentence, WRAP)] + [Line("")]
        sheet.card(Area(10, self._question.y, BOARD_WIDTH - 20, 62 + 28 * len(lines)), lines)

    def _help(self) -> list[tuple[str, str]]:
        if self.game.phase == "playing":
            controls = self.game.controls
            takes_clicks = type(self.game.painter).picked is not Painter.picked
            mouse = [("click", "play" if controls.is_single else "change")] * takes_clicks
            return [*controls.help(), *mouse, ("Esc", "end the game")]
        if self.game.phase == "between":
            return [("Enter", "next round"), ("Esc", "end the game")]
        return [("Esc", "close")]

    def _paint_chart(self, sheet: Sheet) -> None:
        """The outcomes as bars, and the game value as a line through them."""
        area = self._chart.inner(4)
        canvas = Canvas(*area.size, area.size)
        canvas.text("your rounds", (6, 12), 17, MUTED, "left")
        outcomes, known = self.game.score.outcomes, self.game.score.known.value
        most = max([*outcomes, known or 0.0, 1e-9])
        left, floor, high = 10.0, area.height - 8.0, area.height - 40.0
        pitch = (area.width - 130.0) / max(self.game.rounds, len(outcomes))
        for place, outcome in enumerate(outcomes):
            height = max(2.0, high * outcome / most)
            extent = (0.8 * pitch, height)
            canvas.rect((left + place * pitch, floor - height), extent, BLUE, radius=2.0)
        canvas.line([(left, floor), (area.width - 120.0, floor)], LINE, 1.5)
        if known is not None:
            y = floor - high * known / most
            canvas.line([(left, y), (area.width - 120.0, y)], WRONG, 2.0)
            canvas.text("game value", (area.width - 112.0, y), 17, WRONG, "left")
        sheet.paste(canvas.frame(), area)

    def _paint_below(self, sheet: Sheet) -> None:
        game, area = self.game, self._below
        if game.phase == "playing":
            said = [
                "The adversary has picked the layout already. It does not see",
                "what you do now, but learns from every round: it puts more",
                "weight on what costs you most. Play so that it finds no habit.",
            ]
            sheet.card(area.rows(110)[0], [Line(line, "", 18, MUTED) for line in said])
            return
        sheet.paste(self._weights(area), area)

    def _weights(self, area: Area) -> Frame:
        opponent = self.game.opponent
        where = "" if opponent.knows_all else f"of {len(opponent.layouts):,} drawn layouts; "
        most = float(np.max(opponent.weights))
        each = _percent(1 / len(opponent.layouts))
        remark = f"{where}uniform would be {each} each, its heaviest has {_percent(most)}"
        title = "What the adversary plays next"
        return render_weights(
            self.game.task, opponent.layouts, opponent.weights, area.size, title, remark
        )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
