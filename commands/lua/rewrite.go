package lua

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// The interpreter writes numbers in its own way where it concatenates, computes % and ^ in Go's, and takes no strings as bounds
// of loops. All this is repaired in the syntax tree: a .. b .. c becomes a call of a builtin, and so do a % b, a ^ b and a bound.

// Names of builtins that no script can write.
const (
	concatName  = ".."
	initialName = "'for' initial value"
	limitName   = "'for' limit"
	stepName    = "'for' step"
	moduloName  = "%"
	powerName   = "^"
)

// maxDepth bounds how deep a script nests: whoever walks the tree is recursive.
const maxDepth = 2000

var errTooDeep = errors.New("chunk has too many syntax levels")

type rewriter struct{ depth int }

// rewrite repairs the statements in place.
func rewrite(chunk []ast.Stmt) error {
	var r rewriter
	return r.stmts(chunk)
}

func (r *rewriter) enter() error {
	if r.depth++; r.depth > maxDepth {
		return errTooDeep
	}
	return nil
}

func (r *rewriter) stmts(list []ast.Stmt) error {
	for _, s := range list {
		if err := r.stmt(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *rewriter) stmt(s ast.Stmt) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer func() { r.depth-- }()
	switch s := s.(type) {
	case *ast.AssignStmt:
		return first(r.exprs(s.Lhs), r.exprs(s.Rhs))
	case *ast.LocalAssignStmt:
		return r.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		return r.expr(&s.Expr)
	case *ast.DoBlockStmt:
		return r.stmts(s.Stmts)
	case *ast.WhileStmt:
		return first(r.expr(&s.Condition), r.stmts(s.Stmts))
	case *ast.RepeatStmt:
		return first(r.expr(&s.Condition), r.stmts(s.Stmts))
	case *ast.IfStmt:
		return first(r.expr(&s.Condition), r.stmts(s.Then), r.stmts(s.Else))
	case *ast.NumberForStmt:
		err := first(r.expr(&s.Init), r.expr(&s.Limit), r.expr(&s.Step), r.stmts(s.Stmts))
		bound(&s.Init, initialName)
		bound(&s.Limit, limitName)
		bound(&s.Step, stepName)
		return err
	case *ast.GenericForStmt:
		return first(r.exprs(s.Exprs), r.stmts(s.Stmts))
	case *ast.FuncDefStmt:
		return first(r.expr(&s.Name.Func), r.expr(&s.Name.Receiver), r.stmts(s.Func.Stmts))
	case *ast.ReturnStmt:
		return r.exprs(s.Exprs)
	}
	return nil
}

func (r *rewriter) exprs(list []ast.Expr) error {
	for i := range list {
		if err := r.expr(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// expr repairs what e points to, which may be nil.
func (r *rewriter) expr(e *ast.Expr) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer func() { r.depth-- }()
	switch x := (*e).(type) {
	case *ast.NumberExpr:
		if f, ok := parseNumber(x.Value); ok && math.IsInf(f, 1) {
			x.Value = "inf" // as the interpreter reads it
		}
	case *ast.AttrGetExpr:
		return first(r.expr(&x.Object), r.expr(&x.Key))
	case *ast.TableExpr:
		for _, f := range x.Fields {
			if err := first(r.expr(&f.Key), r.expr(&f.Value)); err != nil {
				return err
			}
		}
	case *ast.FuncCallExpr:
		return first(r.expr(&x.Func), r.expr(&x.Receiver), r.exprs(x.Args))
	case *ast.LogicalOpExpr:
		return first(r.expr(&x.Lhs), r.expr(&x.Rhs))
	case *ast.RelationalOpExpr:
		return first(r.expr(&x.Lhs), r.expr(&x.Rhs))
	case *ast.ArithmeticOpExpr:
		err := first(r.expr(&x.Lhs), r.expr(&x.Rhs))
		if x.Operator == moduloName || x.Operator == powerName {
			*e = call(x, x.Operator, []ast.Expr{single(x.Lhs), single(x.Rhs)})
		}
		return err
	case *ast.UnaryMinusOpExpr:
		return r.expr(&x.Expr)
	case *ast.UnaryNotOpExpr:
		return r.expr(&x.Expr)
	case *ast.UnaryLenOpExpr:
		return r.expr(&x.Expr)
	case *ast.FunctionExpr:
		return r.stmts(x.Stmts)
	case *ast.StringConcatOpExpr:
		return r.concat(e, x)
	}
	return nil
}

// bound has a builtin make a number of a bound of a loop.
func bound(e *ast.Expr, name string) {
	if _, ok := (*e).(*ast.NumberExpr); ok || *e == nil {
		return
	}
	*e = call(*e, name, []ast.Expr{single(*e)})
}

// call is one of a builtin, at the place of a node.
func call(at ast.PositionHolder, name string, args []ast.Expr) *ast.FuncCallExpr {
	f := &ast.IdentExpr{Value: name}
	c := &ast.FuncCallExpr{Func: f, Args: args}
	for _, node := range []ast.PositionHolder{f, c} {
		node.SetLine(at.Line())
		node.SetLastLine(at.LastLine())
	}
	return c
}

// concat makes one call of a row of concatenations. It begins with a table constructor's worth of operands at most, as any
// call does; longer rows are nested.
func (r *rewriter) concat(e *ast.Expr, x *ast.StringConcatOpExpr) error {
	var args []ast.Expr
	var rest ast.Expr = x
	for len(args) < maxOperands-1 {
		c, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		args = append(args, single(c.Lhs))
		rest = c.Rhs
	}
	args = append(args, single(rest))
	*e = call(x, concatName, args)
	return r.exprs(args)
}

// maxOperands of one call keep its registers few.
const maxOperands = 50

// single makes a call give one value, as it does as an operand.
func single(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.FuncCallExpr:
		x.AdjustRet = true
	case *ast.Comma3Expr:
		x.AdjustRet = true
	}
	return e
}

// literal writes a number so that the interpreter reads it as Lua does.
func literal(s string) (decimal string, ok bool) {
	f, ok := parseNumber(s)
	if !ok || strings.ContainsAny(s, ".eE") && !strings.ContainsAny(s, "xX") {
		return s, ok
	}
	if n := int64(f); float64(n) == f && n >= 0 && n < 1<<53 {
		return strconv.FormatInt(n, 10), true
	}
	return strconv.FormatFloat(f, 'e', -1, 64), true
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
