"""Leagues of text: members that learn against each other, and frozen and outside players rated with them."""
